"""Suppliers of our own, whose every behaviour can be asked for by the product's scenario."""
