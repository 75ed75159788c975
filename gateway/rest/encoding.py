"""Protobuf → JSON: one writer per message, compiled from its descriptor.

A writer reads all fields in one call of C and then touches only those that are not JSON already; what is absent
is null, what has its default is shown.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.rest.fields import bare_names, is_map, is_timestamp, value_of

Document = dict[str, Any]
Write = Callable[[Any], Any]


def dump(document: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8."""
    return orjson.dumps(document, option=orjson.OPT_UTC_Z)


def write_time(moment: Timestamp) -> str:
    """A moment as RFC 3339 in UTC, to the microsecond."""
    fraction = moment.nanos // 1000
    return f"{_second(moment.seconds)}.{fraction:06d}Z" if fraction else f"{_second(moment.seconds)}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """The moments of an answer mostly fall into few seconds, and formatting one costs more than all else in it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]


class _Names(dict[int, str | int | None]):
    """An enum's bare names; a value that only a newer service knows is shown by its number."""

    def __missing__(self, number: int) -> int:
        return number


class MessageWriter:
    """Turns messages of one kind into dictionaries for `dump`."""

    def __init__(self, message: Descriptor) -> None:
        self._names = [field.name for field in message.fields]
        self._read = _reading(self._names)
        self._always: list[tuple[str, Write]] = []
        self._when_present: list[tuple[str, Write | None]] = []

    def add(self, field: FieldDescriptor, write: Write | None) -> None:
        """Fields are added after the writer exists, because a message may contain itself."""
        if field.has_presence:
            self._when_present.append((field.name, write))
        elif write is not None:
            self._always.append((field.name, write))

    def __call__(self, message: Message) -> Document:
        """The message as a dictionary, in the order of its fields."""
        document = dict(zip(self._names, self._read(message), strict=False))
        for name, write in self._always:
            document[name] = write(document[name])
        for name, write_present in self._when_present:
            if not message.HasField(name):
                document[name] = None
            elif write_present is not None:
                document[name] = write_present(document[name])
        return document


class Writers:
    """The writers of all messages that an answer may contain, each compiled once."""

    def __init__(self) -> None:
        self._made: dict[str, MessageWriter] = {}

    def of(self, message: Descriptor) -> MessageWriter:
        """The writer of `message`."""
        if (made := self._made.get(message.full_name)) is not None:
            return made
        writer = self._made[message.full_name] = MessageWriter(message)
        for field in message.fields:
            writer.add(field, self._write(field))
        return writer

    def of_message(self, message: Message) -> Document:
        """A message whose kind is known only when it comes."""
        kind: Any = message.DESCRIPTOR
        return self.of(kind)(message)

    def _write(self, field: FieldDescriptor) -> Write | None:
        """How the field's value is turned into JSON; None where it is JSON already."""
        write = self._write_one(value_of(field))
        if is_map(field):
            return dict if write is None else lambda values: {key: write(value) for key, value in values.items()}
        if field.is_repeated:
            return list if write is None else lambda values: [write(value) for value in values]
        return write

    def _write_one(self, field: FieldDescriptor) -> Write | None:
        if is_timestamp(field):
            return write_time
        if field.enum_type is not None:
            return _Names({0: None, **bare_names(field.enum_type)}).__getitem__
        if field.message_type is not None:
            return self.of(field.message_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return lambda value: base64.b64encode(value).decode("ascii")
        return None


def _reading(names: list[str]) -> Callable[[Message], tuple[Any, ...]]:
    """Reads all the fields at once; `attrgetter` makes a tuple only of two or more."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)
