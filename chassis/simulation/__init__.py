"""A party outside, played by us: a process whose every misbehaviour can be switched while it runs."""
