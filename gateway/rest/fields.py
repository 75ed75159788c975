"""What the protos say of a field: its kind, its annotations, its rules."""

from typing import Any

from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from protos.options.v1 import options_pb2

_DATE = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"


def option(descriptor: Any, extension: Any) -> Any:
    """One of the descriptor's options that is an extension."""
    return descriptor.GetOptions().Extensions[extension]


def rules_of(field: FieldDescriptor) -> Any:
    """The field's protovalidate rules, empty where it has none."""
    return option(field, validate_pb2.field)


def is_required(field: FieldDescriptor) -> bool:
    """Whether the field is annotated as REQUIRED."""
    return field_behavior_pb2.REQUIRED in option(field, field_behavior_pb2.field_behavior)


def is_verbatim(field: FieldDescriptor) -> bool:
    """Whether the field's text is left as it came."""
    return bool(option(field, options_pb2.verbatim))


def is_amount(field: FieldDescriptor) -> bool:
    """Whether the field is money."""
    return bool(option(field, options_pb2.amount))


def is_timestamp(field: FieldDescriptor) -> bool:
    """Whether the field is a moment, a string in JSON."""
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"


def is_date(field: FieldDescriptor) -> bool:
    """Whether the field is a day of the calendar, a string in JSON."""
    return bool(rules_of(field).string.pattern == _DATE)


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map, which descriptors show as a repeated entry."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def is_message(field: FieldDescriptor) -> bool:
    """Whether the field's values are objects in JSON."""
    return field.message_type is not None and not is_timestamp(field)


def message_of(field: FieldDescriptor) -> Descriptor:
    """The kind of message that the field holds; it must hold one."""
    if field.message_type is None:
        raise ValueError(f"{field.full_name} holds no message")
    return field.message_type


def key_of(field: FieldDescriptor) -> FieldDescriptor:
    """The key of a map."""
    return message_of(field).fields_by_name["key"]


def value_of(field: FieldDescriptor) -> FieldDescriptor:
    """What stands for one value: of a map its value, else the field itself."""
    return message_of(field).fields_by_name["value"] if is_map(field) else field


def is_http_body(message: Descriptor | None) -> bool:
    """Whether the message stands for a raw body."""
    return message is not None and message.full_name == "google.api.HttpBody"


def bare_names(enum: EnumDescriptor) -> dict[int, str]:
    """The enum's values without the prefix that protobuf's style puts before them; the unspecified one left out."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum.name)
    prefix = words.strip("_").upper() + "_"
    return {value.number: value.name.removeprefix(prefix) for value in enum.values if value.number}
