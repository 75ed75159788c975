"""What orders talks to: one module for each."""
