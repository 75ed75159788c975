"""How the system bears what customers do, by k6: `python -m tests.load`."""
