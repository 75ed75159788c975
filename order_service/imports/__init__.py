"""Imports: a shop's file of orders, taken whole, checked, then placed through the orders' own commands."""
