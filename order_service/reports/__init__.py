"""What completed orders come to, by the UTC day they were placed."""
