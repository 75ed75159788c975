"""Who calls, and what they may do: tokens verified, roles checked, the caller of an RPC known wherever it is served."""
