"""The orders context: takes orders in and leads each one to its end."""
