"""JSON Schemas of messages, with the protos' comments and the rules that are declared there."""

import re
from collections.abc import Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.rest.examples import example_of
from gateway.rest.fields import (
    bare_names,
    is_date,
    is_map,
    is_message,
    is_required,
    is_timestamp,
    is_verbatim,
    message_of,
    rules_of,
    value_of,
)

Schema = dict[str, Any]

_NUMBERS: dict[int, Schema] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    FieldDescriptor.CPPTYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "integer", "minimum": 0},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
}
_KEYWORDS = {
    "min_len": "minLength", "max_len": "maxLength", "pattern": "pattern", "gte": "minimum", "gt": "exclusiveMinimum",
    "lte": "maximum", "lt": "exclusiveMaximum", "min_items": "minItems", "max_items": "maxItems",
    "min_pairs": "minProperties", "max_pairs": "maxProperties",
}  # fmt: skip
_NO_CONTROLS = r"^[^\u0000-\u001f\u007f]*$"


class Schemas:
    """The schemas of one document; `components` fills as they are referred to."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.components: dict[str, Schema] = {}
        self._comments = comments

    def shown(self, message: Descriptor) -> Schema:
        """A reference to the schema of a message in an answer, where every field stands, absent ones as null."""
        if message.full_name not in self.components:
            schema = self.components[message.full_name] = {}
            properties = {field.name: self._shown_field(field) for field in message.fields}
            schema |= self._object(message, properties) | {"required": list(properties)}
        return {"$ref": f"#/components/schemas/{message.full_name}"}

    def given(
        self, message: Descriptor, without: frozenset[str] = frozenset(), may_lack: frozenset[str] = frozenset()
    ) -> Schema:
        """The schema of a message in a request, with its rules.

        Fields that it is `without` come another way, and those that it `may_lack` may do so.
        """
        fields = [field for field in message.fields if field.name not in without]
        required = [field.name for field in fields if is_required(field) and field.name not in may_lack]
        properties = {field.name: self._given_property(field, field.name in required) for field in fields}
        schema = self._object(message, properties) | {"additionalProperties": False}
        return schema | ({"required": required} if required else {})

    def given_field(self, field: FieldDescriptor) -> Schema:
        """The schema of one field of a request."""
        return self._described(field, self._composed(field, rules_of(field), self._given_one))

    def _given_property(self, field: FieldDescriptor, is_needed: bool) -> Schema:
        """In JSON, null stands for what is not given."""
        schema = self.given_field(field)
        return schema if is_needed else _or_null(schema)

    def comment(self, full_name: str) -> str:
        """What the protos say of it; empty when they say nothing."""
        return self._comments.get(full_name, "")

    def _object(self, message: Descriptor, properties: Mapping[str, Schema]) -> Schema:
        return {"type": "object", "description": self.comment(message.full_name), "properties": properties}

    def _described(self, field: FieldDescriptor, schema: Schema) -> Schema:
        example = example_of(field)
        examples = {} if example is None or "$ref" in schema or "properties" in schema else {"examples": [example]}
        return schema | {"description": self.comment(field.full_name)} | examples

    def _shown_field(self, field: FieldDescriptor) -> Schema:
        schema = self._described(field, self._composed(field, validate_pb2.FieldRules(), self._shown_one))
        return _or_null(schema) if field.has_presence else schema

    def _composed(self, field: FieldDescriptor, rules: Any, one: Any) -> Schema:
        """Lists and maps of what `one` makes of a single value."""
        if is_map(field):
            values = one(value_of(field), rules.map.values)
            return {"type": "object", "additionalProperties": values, **_keywords(rules.map)}
        if field.is_repeated:
            return {"type": "array", "items": one(field, rules.repeated.items), **_keywords(rules.repeated)}
        schema: Schema = one(field, rules)
        return schema

    def _shown_one(self, field: FieldDescriptor, rules: Any) -> Schema:
        return self.shown(message_of(field)) if is_message(field) else self._scalar(field)

    def _given_one(self, field: FieldDescriptor, rules: Any) -> Schema:
        if is_message(field):
            return self.given(message_of(field))
        if is_date(field):
            return {"type": "string", "format": "date"}
        return self._scalar(field) | _rules_of(rules, is_trimmed=not is_verbatim(field))

    def _scalar(self, field: FieldDescriptor) -> Schema:
        if is_timestamp(field):
            return {"type": "string", "format": "date-time"}
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return dict(_NUMBERS.get(field.cpp_type, {"type": "string"}))

    def _enum(self, enum: EnumDescriptor) -> Schema:
        names = bare_names(enum)
        said = [
            (names[value.number], self.comment(f"{enum.full_name}.{value.name}"))
            for value in enum.values
            if value.number
        ]
        text = " ".join([self.comment(enum.full_name), *(f"{name}: {comment}" for name, comment in said)])
        self.components[enum.full_name] = {"type": "string", "enum": list(names.values()), "description": text}
        return {"$ref": f"#/components/schemas/{enum.full_name}"}


def _or_null(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [{"$ref": schema.pop("$ref")}, {"type": "null"}], **schema}
    return schema | {"type": [schema["type"], "null"]}


def _rules_of(rules: Any, *, is_trimmed: bool) -> Schema:
    """The keywords for the rules of a single value."""
    kind = rules.WhichOneof("type")
    if kind in (None, "enum", "timestamp"):
        return {}
    inner = getattr(rules, kind)
    named = {"format": "uuid"} if kind == "string" and inner.uuid else {}
    forbidden = {"not": {"enum": list(inner.not_in)}} if getattr(inner, "not_in", None) else {}
    keywords = _keywords(inner) | named | forbidden
    if kind == "string" and is_trimmed and keywords.get("pattern") == _NO_CONTROLS and "minLength" in keywords:
        keywords["pattern"] = _visible(keywords["minLength"])
    return keywords


def _visible(least: int) -> str:
    """No control characters, and at least so many others, for which white space around them does not count."""
    inside = _NO_CONTROLS[1:-1]
    solid = inside.removesuffix("]*") + r"\s]"
    if least > 1:
        return f"^{inside}{solid}{inside.removesuffix('*')}{{{least - 2},}}{solid}{inside}$"
    return f"^{inside}{solid}{inside}$"


def _keywords(rules: Any) -> Schema:
    schema = {_KEYWORDS[rule.name]: value for rule, value in rules.ListFields() if rule.name in _KEYWORDS}
    if "pattern" in schema:
        # RE2's \x00 is \u0000 in the dialect of JSON Schema.
        schema["pattern"] = re.sub(r"\\x([0-9a-fA-F]{2})", r"\\u00\1", schema["pattern"])
    return schema
