"""Facts in: one poll is one transaction; what cannot be applied is parked and does not hold up its neighbours."""

from chassis.consumer.folding import Folding
from chassis.consumer.handlers import Handler, Ignore, Room, TooEarly
from chassis.consumer.reading import Consumer

__all__ = ["Consumer", "Folding", "Handler", "Ignore", "Room", "TooEarly"]
