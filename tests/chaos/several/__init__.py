"""Several of everything under load: scaled, rolled, and two releases side by side, with every invariant afterwards."""
