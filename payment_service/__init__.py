"""Takes the money of orders: one payment for each, asked of a provider under a key of its own."""
