"""Forgetting customers: an inner context of orders."""
