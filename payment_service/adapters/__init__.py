"""The providers that payments can ask."""
