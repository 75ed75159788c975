"""A service of nothing but chassis, run as a process of its own by the tests."""
