"""The envelope around every fact: CloudEvents 1.0 in protobuf format, one event per record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Generic, TypeVar

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from chassis import ids
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent

M = TypeVar("M", bound=Message)
D = TypeVar("D")

CONTENT_TYPE: Final = "application/cloudevents+protobuf"
HEADERS: Final = [("content-type", CONTENT_TYPE.encode())]
_TYPE_URL: Final = "type.googleapis.com/"


class Undecodable(Exception):
    """The bytes are no event that anybody here could ever read."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A fact to be told: the topic, the key that orders it, and the version of the aggregate after it."""

    topic: str
    key: str
    message: Message
    version: int = 0
    traceparent: str = ""


@dataclass(slots=True)
class Received(Generic[D]):
    """A fact as it came in; `message` is None when no handler knows the type."""

    id: str
    type: str
    key: str
    message: D
    traceparent: str
    version: int
    envelope: CloudEvent

    @property
    def occurred_at(self) -> datetime:
        """When it was told, in UTC."""
        return self.envelope.attributes["time"].ce_timestamp.ToDatetime(UTC)


def type_of(message_class: type[Message]) -> str:
    """The event type of a message: its full name, which ends in its major version and name."""
    return str(message_class.DESCRIPTOR.full_name)


def seal(outgoing: Outgoing, source: str, at: datetime) -> bytes:
    """The record value that tells a fact; a new event id each time."""
    name = type_of(type(outgoing.message))
    event = CloudEvent(id=ids.new_id(), source=source, spec_version="1.0", type=name)
    attributes = event.attributes
    attributes["time"].ce_timestamp.FromDatetime(at)
    attributes["subject"].ce_string = outgoing.key
    if outgoing.traceparent:
        attributes["traceparent"].ce_string = outgoing.traceparent
    if outgoing.version:
        attributes["aggregateversion"].ce_integer = outgoing.version
    event.proto_data.type_url = _TYPE_URL + name
    event.proto_data.value = outgoing.message.SerializeToString()
    return event.SerializeToString()


def open_envelope(raw: bytes, types: Mapping[str, type[Message]]) -> Received[Message | None]:
    """The fact in a record's value. Raises Undecodable for bytes that are not one.

    A type that is not in `types` comes back with `message` None, unless it is a major version that we do not know of
    a message that we do: that one is Undecodable here, and must not be passed over.
    """
    try:
        event = CloudEvent.FromString(raw)
    except DecodeError as error:
        raise Undecodable("the bytes are not a CloudEvent") from error
    if not (event.id and event.type and event.spec_version == "1.0"):
        raise Undecodable("the event lacks an id, a type, or spec_version 1.0")
    name = event.type
    message_class = types.get(name)
    if message_class is None and _has_another_version(name, types):
        raise Undecodable(f"{name} has a major version that is not known here")
    attributes = event.attributes
    return Received(
        event.id,
        name,
        attributes["subject"].ce_string,
        None if message_class is None else _data_of(event, name, message_class),
        attributes["traceparent"].ce_string,
        attributes["aggregateversion"].ce_integer,
        event,
    )


def _data_of(event: CloudEvent, name: str, message_class: type[M]) -> M:
    data = event.proto_data
    if data.type_url.rpartition("/")[2] != name:
        raise Undecodable(f"the data of {name} is {data.type_url or 'missing'}")
    try:
        message = message_class.FromString(data.value)
    except DecodeError as error:
        raise Undecodable(f"the data is not a {name}") from error
    for field, has_presence in required_fields(message_class.DESCRIPTOR):
        if not (message.HasField(field) if has_presence else getattr(message, field)):
            raise Undecodable(f"{name} lacks {field}")
    return message


@cache
def required_fields(descriptor: Descriptor) -> tuple[tuple[str, bool], ...]:
    """The fields that a message must have, as its proto says; each with whether it can be there and empty.

    Rule (protocols: events in): a fact that lacks one says nothing that could be applied; read as it stands it would
    say something false, an expiry in 1970 for example.
    """
    return tuple((field.name, field.has_presence) for field in descriptor.fields if _is_required(field.GetOptions()))


def _is_required(options: Any) -> bool:
    return bool(options.Extensions[validate_pb2.field].required)


def _has_another_version(name: str, types: Mapping[str, type[Message]]) -> bool:
    return _without_version(name) in {_without_version(known) for known in types}


def _without_version(name: str) -> str:
    package, _, message = name.rpartition(".")
    return f"{package.rpartition('.')[0]}.{message}"
