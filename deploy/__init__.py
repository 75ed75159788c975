"""Everything that brings the system up on a machine or a cluster."""
