"""Chaos: the real system under load and seeded faults, healed, and held to its invariants; `make chaos`."""
