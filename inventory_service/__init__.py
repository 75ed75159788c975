"""Inventory: the catalogue with its prices, what is on the shelf, and what is held for whom."""
