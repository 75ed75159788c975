"""Rate limits: how many requests a minute a customer, or another team's service, may make."""
