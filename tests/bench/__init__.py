"""What the system costs and how fast it is, side by side with the floor: `python -m tests.bench`."""
