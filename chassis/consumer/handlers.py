"""What a consumer is made of: handlers that say what facts mean, and a room that loads and saves what they touch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from chassis.envelope import Received

M = TypeVar("M", bound=Message)
L = TypeVar("L")


class TooEarly(Exception):
    """A fact came before the one it builds on: parked, and tried again. Raise it before anything is changed."""


class Ignore(Exception):
    """A fact about a step that was passed already: counted, nothing else. Raise it before anything is changed."""


@dataclass(frozen=True)
class Handler(Generic[M]):
    """What a fact touches, and what is made of it: `apply(loaded, received)` is pure."""

    keys: Callable[[M], Iterable[str]]
    apply: Callable[[Any, Received[M]], None]


class Room(Protocol[L]):
    """A service's way to load what facts touch and to write back what they changed."""

    def load(self, connection: Connection, keys: Sequence[str]) -> L:
        """Everything under these sorted keys, one statement per table, rows locked in key order."""

    def save(self, connection: Connection, loaded: L) -> None:
        """Write what changed, with what is to be told; raises LostUpdate when a compare-and-set misses."""

    def committed(self, loaded: L) -> None:
        """The transaction is committed: wake who waits, start what was decided."""
