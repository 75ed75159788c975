"""Redis, as reports use it."""
