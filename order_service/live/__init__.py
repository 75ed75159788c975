"""Live: what becomes of orders, told to those who watch as it happens, without a gap and nothing twice."""
