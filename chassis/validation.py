"""The rules that stand in the protos, asked of a message before anybody works on it."""

from collections.abc import Iterable
from typing import Any, Final

import protovalidate
from google.protobuf.message import Message

from chassis.errors import ValidationFailed

_FIELDS_TOLD: Final = 30
"""More wrong fields than these help nobody, and would not fit into the answer's metadata."""

_VALIDATOR: Final = protovalidate.Validator()


def validate(message: Message) -> None:
    """Raises ValidationFailed, naming fields by paths like `items[0].quantity`, when a rule of the proto is broken."""
    if violations := _VALIDATOR.collect_violations(message):
        raise ValidationFailed("the request is not valid", fields=_by_field(violations))


def _by_field(violations: Iterable[protovalidate.Violation]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for violation in violations:
        proto = violation.proto
        path = _path(proto.field.elements) if proto.field else ""
        if path in fields or len(fields) < _FIELDS_TOLD:
            fields.setdefault(path, []).append(proto.message or proto.rule_id or "is not valid")
    return fields


def _path(elements: Iterable[Any]) -> str:
    return ".".join(f"{element.field_name}{_subscript(element)}" for element in elements)


def _subscript(element: Any) -> str:
    at = element.subscript
    if at is None:
        return ""
    return f"[{at.value}]" if at.field == "index" else f'["{at.value}"]'
