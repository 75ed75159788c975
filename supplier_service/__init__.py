"""Orders from suppliers what waiting orders lack, and follows each supplier order to its end."""
