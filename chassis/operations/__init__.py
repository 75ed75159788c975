"""What an operator sees and does, the same in every service: operations.v1 over the chassis' tables."""
