"""The development issuer of one machine: makes tokens for whoever may read the stack's state folder."""

NAME = "issuer"
"""The process, as status and logs show it."""
SECRET_FILE = "development-secret"
AUDIENCE = "order-system"
"""What the services expect when they are told nothing else."""
