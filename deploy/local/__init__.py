"""The whole system on one machine without containers; tests build their surroundings from the same parts."""

from deploy.local.cleaning import temporary_state
from deploy.local.infrastructure import Infrastructure
from deploy.local.refusals import CannotStart
from deploy.local.stack import Stack

__all__ = ["CannotStart", "Infrastructure", "Stack", "temporary_state"]
