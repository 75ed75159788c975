"""What each annotated method looks like over REST, read from `google.api.http` and our own method options."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from gateway.rest.decoding import UnsupportedFace
from gateway.rest.descriptors import Descriptors
from gateway.rest.fields import is_http_body, option
from protos.options.v1 import options_pb2

JSON_BODY_BYTES = 1 << 20
"""The largest body where a method's face names no other."""

_VARIABLE = re.compile(r"\{([a-z0-9_]+)\}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+|\{[a-z0-9_]+\}")


@dataclass(frozen=True)
class Face:
    """One method under one verb and path."""

    method: MethodDescriptor
    verb: str
    template: str
    """As annotated: `/v1/orders/{order_id}`."""
    body: str
    """The request's field that the body is; `*`: all that is not in the path; empty: there is no body."""
    options: options_pb2.Face

    @property
    def context(self) -> str:
        """The word of the context that hosts the method: the first part of its package."""
        return self.method.full_name.partition(".")[0]

    @property
    def rpc(self) -> str:
        """The method's path over gRPC."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def request(self) -> Descriptor:
        """What the method is asked with."""
        return self.method.input_type

    @property
    def response(self) -> Descriptor:
        """What the method answers with."""
        return self.method.output_type

    @property
    def variables(self) -> list[str]:
        """The fields that stand in the path."""
        return _VARIABLE.findall(self.template)

    @property
    def raw_body(self) -> FieldDescriptor | None:
        """The field that takes the body as it comes, whatever is in it."""
        field = self.request.fields_by_name.get(self.body)
        return field if field is not None and is_http_body(field.message_type) else None

    @property
    def not_in_query(self) -> set[str]:
        """The fields that no query parameter fills: those of body and any path, and headers beside a raw body."""
        headers = {header.field for header in self.options.headers} if self.raw_body is not None else set()
        rule = option(self.method, annotations_pb2.http)
        paths = [_verb_and_path(binding)[1] for binding in (rule, *rule.additional_bindings)]
        return {*_VARIABLE.findall("".join(paths)), self.body, *headers}

    @property
    def max_body_bytes(self) -> int:
        """The largest body that is taken."""
        return self.options.max_body_bytes or JSON_BODY_BYTES

    @property
    def list_field(self) -> FieldDescriptor | None:
        """The field of the response that is the `data` of a list."""
        return self.response.fields_by_name[self.options.list_field] if self.options.list_field else None

    @property
    def paths(self) -> tuple[str, str]:
        """Where it is found: under its version, and as the current one."""
        return f"/api{self.template}", "/api" + self.template.removeprefix("/v1")


def read_faces(descriptors: Descriptors) -> list[Face]:
    """Every annotated method once for each of its bindings; raises UnsupportedFace."""
    methods = (method for service in descriptors.services for method in service.methods)
    return [_checked(face) for method in methods for face in _faces_of(method)]


def _faces_of(method: MethodDescriptor) -> Iterator[Face]:
    if not method.GetOptions().HasExtension(annotations_pb2.http):
        return
    rule = option(method, annotations_pb2.http)
    for binding in (rule, *rule.additional_bindings):
        yield Face(method, *_verb_and_path(binding), binding.body, option(method, options_pb2.face))


def _verb_and_path(rule: http_pb2.HttpRule) -> tuple[str, str]:
    pattern = rule.WhichOneof("pattern")
    if pattern == "custom":
        return rule.custom.kind, rule.custom.path
    return str(pattern).upper(), getattr(rule, str(pattern))


def _checked(face: Face) -> Face:
    """A face that cannot be served is refused at start, not when somebody calls it."""
    name, fields = face.method.full_name, face.request.fields_by_name
    if not all(_SEGMENT.fullmatch(segment) for segment in face.template.split("/")[1:]):
        raise UnsupportedFace(f"{name}: path templates other than plain {{field}} segments: {face.template}")
    named: Iterable[str] = [*face.variables, *(header.field for header in face.options.headers)]
    for field in [*named, *([face.body] if face.body not in ("", "*") else [])]:
        if field not in fields:
            raise UnsupportedFace(f"{name}: {face.request.full_name} has no field {field}")
    is_served = is_http_body(face.response) or face.options.event_stream
    if face.method.client_streaming or (face.method.server_streaming and not is_served):
        raise UnsupportedFace(f"{name}: streams other than of events, or a response of google.api.HttpBody")
    return face
