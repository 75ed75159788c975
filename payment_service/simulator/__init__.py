"""A payment provider of our own, whose every behaviour can be asked for by the payment method."""
