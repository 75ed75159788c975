"""JSON → protobuf: one reader per message, compiled from its descriptor, that names the field in what it refuses.

A reader turns a JSON object into the keyword arguments of the message's class, nested objects into nested
dictionaries, so that a whole request becomes a message in one call.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor

from gateway.rest.fields import is_map, is_message, is_required, key_of, message_of, rules_of, value_of
from gateway.rest.scalars import Read, reader_of, text_reader_of
from gateway.rest.wrong import Errors, Wrong, add_under, wrong

Fields = dict[str, Any]

_MISSING: Final = ["is required"]


class UnsupportedFace(Exception):
    """A descriptor asks for something that has no form in REST here; found when the gateway starts."""


class MessageReader:
    """Reads JSON objects into the fields of one kind of message."""

    def __init__(self, message: Descriptor) -> None:
        self.required = frozenset(field.name for field in message.fields if is_required(field))
        self._readers: dict[str, Read] = {}
        self._exclusive = [names for oneof in message.oneofs if (names := _members(oneof))]

    def add(self, name: str, read: Read) -> None:
        """Fields are added after the reader exists, because a message may contain itself."""
        self._readers[name] = read

    def __call__(self, value: object) -> Fields:
        """The message's fields, the required ones among them."""
        fields = self.given(value)
        if not self.required <= fields.keys():
            raise Wrong(missing(self.required, fields))
        return fields

    def given(self, value: object) -> Fields:
        """The message's fields as far as they are given; null counts as not given."""
        if type(value) is not dict:
            raise wrong("must be an object")
        readers = self._readers
        try:
            fields = {
                name: readers[name](given) for name, given in value.items() if given is not None or name not in readers
            }
        except (KeyError, Wrong):
            raise Wrong(self._all_that_is_wrong_with(value)) from None
        for names in self._exclusive:
            if len(clashing := [name for name in names if name in fields]) > 1:
                raise Wrong({clashing[-1]: [f"excludes {clashing[0]}"]})
        return fields

    def _all_that_is_wrong_with(self, value: Mapping[str, object]) -> Errors:
        """The first mistake stops the reading; a client wants to hear of all of them."""
        errors: Errors = {}
        for name, given in value.items():
            read = self._readers.get(name)
            try:
                if read is None:
                    raise wrong("is not a known field")
                if given is not None:
                    read(given)
            except Wrong as refused:
                add_under(name, refused.errors, errors)
        add_under("", missing(self.required, [name for name, given in value.items() if given is not None]), errors)
        return errors


class Readers:
    """The readers of all messages that a request may contain, each compiled once."""

    def __init__(self) -> None:
        self._made: dict[str, MessageReader] = {}

    def of(self, message: Descriptor) -> MessageReader:
        """The reader of `message`."""
        if (made := self._made.get(message.full_name)) is not None:
            return made
        reader = self._made[message.full_name] = MessageReader(message)
        for field in message.fields:
            reader.add(field.name, self.field(field))
        return reader

    def field(self, field: FieldDescriptor) -> Read:
        """Reads the JSON value of one field."""
        rules = rules_of(field)
        if is_map(field):
            return _map_of(text_reader_of(key_of(field)), self._one(value_of(field)), rules.map.max_pairs)
        if field.is_repeated:
            return _list_of(self._one(field), rules.repeated.max_items)
        return self._one(field)

    def _one(self, field: FieldDescriptor) -> Read:
        if not is_message(field):
            return reader_of(field)
        if message_of(field).file.package in ("google.protobuf", "google.api"):
            # Reached only by a request that carries such a message in JSON; as a raw body it is never read here.
            return _no_form_of(field)
        return self.of(message_of(field))


def missing(required: Collection[str], fields: Collection[str]) -> Errors:
    """What is required and not among `fields`."""
    return {name: [*_MISSING] for name in sorted(required) if name not in fields}


def not_missing(name: str, errors: Errors) -> None:
    """A field that comes another way need not be in the body; what is wrong with it there stays wrong."""
    if errors.get(name) == _MISSING:
        del errors[name]


def _members(oneof: OneofDescriptor) -> list[str]:
    """The fields that exclude one another; none for the oneof that stands behind an `optional`."""
    return [field.name for field in oneof.fields] if len(oneof.fields) > 1 else []


def _no_form_of(field: FieldDescriptor) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        raise wrong(f"cannot be given in JSON ({message_of(field).full_name})")

    return read


def _list_of(read: Read, most: int) -> Read:
    def read_list(value: object) -> list[Any]:
        if type(value) is not list:
            raise wrong("must be a list")
        if 0 < most < len(value):
            raise wrong(f"must contain no more than {most} items")
        try:
            return [read(item) for item in value]
        except Wrong:
            raise _wrong_items(read, ((f"[{index}]", item) for index, item in enumerate(value))) from None

    return read_list


def _map_of(read_key: Read, read: Read, most: int) -> Read:
    def read_map(value: object) -> dict[Any, Any]:
        if type(value) is not dict:
            raise wrong("must be an object")
        if 0 < most < len(value):
            raise wrong(f"must contain no more than {most} pairs")
        try:
            return {read_key(key): read(item) for key, item in value.items()}
        except Wrong:
            items = ((f'["{key[:64]}"]', (key, item)) for key, item in value.items())
            raise _wrong_items(lambda pair: (read_key(pair[0]), read(pair[1])), items) from None

    return read_map


def _wrong_items(read: Read, items: Any) -> Wrong:
    errors: Errors = {}
    for path, item in items:
        try:
            read(item)
        except Wrong as refused:
            add_under(path, refused.errors, errors)
    return Wrong(errors)
