"""The suppliers that can be asked."""
