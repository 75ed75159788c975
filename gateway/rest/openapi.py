"""The OpenAPI 3.1 document, made of the same faces as the routes."""

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway.rest.binding import query_fields
from gateway.rest.encoding import dump
from gateway.rest.examples import example_message, example_request
from gateway.rest.faces import Face
from gateway.rest.fields import is_http_body, is_required, message_of, option
from gateway.rest.refusals import MEDIA_TYPE, Refusals, reference
from gateway.rest.schemas import Schema, Schemas
from protos.options.v1 import options_pb2

_EVENTS = (
    "Server-Sent Events, without an end. The `data` of each is the event in JSON without its `id` and `type`, which are"
    " the `id` and `event` of the stream; lines that begin with a colon are signs of life."
)
_HEADERS: dict[str, Schema] = {
    "X-Trace-Id": {"description": "The trace of this request.", "schema": {"type": "string"}},
    "ETag": {"description": "The version of what is shown.", "schema": {"type": "string"}},
    "Location": {"description": "Where to look.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "`true`: an equal request was here before.", "schema": {"type": "string"}},
    "Preference-Applied": {"description": "What was understood of `Prefer`.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds until it is worth trying again.", "schema": {"type": "integer"}},
    "RateLimit": {"description": "What is left of the caller's share, and for how long.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "RFC 6750: what is wrong with the token.", "schema": {"type": "string"}},
    "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
}
_PARAMETERS: dict[str, Schema] = {
    "traceparent": {
        "name": "traceparent", "in": "header", "required": False, "schema": {"type": "string"},
        "description": "W3C trace context, which the request then belongs to; else a trace begins here.",
    },
    "If-None-Match": {
        "name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"},
        "description": "The ETag of what you have: 304 when nothing has changed since.",
    },
}  # fmt: skip
_PREFER = "`wait=N`: the answer may take up to N seconds (default 2, at most 30); `respond-async`: answer at once."
SYSTEM_PATHS = {
    "/health": "Whether everything is there; `services` names what is not.",
    "/health/live": "Whether this process answers.",
    "/health/ready": "Whether orders can be taken.",
}


class OpenApi:
    """Builds the document; it never changes while the process runs."""

    def __init__(self, faces: Sequence[Face], comments: Mapping[str, str], *, needs_token: bool = False) -> None:
        self._faces = faces
        self._needs_token = needs_token
        self._schemas = Schemas(comments)
        self._refusals = Refusals(self._schemas)

    def document(self) -> dict[str, Any]:
        """The whole of it, ready for JSON."""
        paths: dict[str, dict[str, Any]] = {}
        for face in self._faces:
            paths.setdefault(face.paths[0], {})[face.verb.lower()] = self._operation(face)
        paths |= {f"/api/v1{path}": {"get": _health_operation(path, text)} for path, text in SYSTEM_PATHS.items()}
        tags = dict.fromkeys(face.method.containing_service for face in self._faces)
        return {
            "openapi": "3.1.0",
            "info": {"title": "Order system", "version": _version(), "description": _INTRODUCTION},
            "servers": [{"url": "/"}],
            "tags": [
                {"name": service.name, "description": self._schemas.comment(service.full_name)} for service in tags
            ],
            "paths": paths,
            "components": {
                "schemas": self._schemas.components | {"Problem": _problem_schema(), "Health": _HEALTH},
                "responses": self._refusals.components(),
                "parameters": _PARAMETERS,
                "headers": _HEADERS,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            },
            "security": [{"bearer": []}] if self._needs_token else [{}, {"bearer": []}],
        }

    def _operation(self, face: Face) -> dict[str, Any]:
        comment = self._schemas.comment(face.method.full_name)
        access = option(face.method, options_pb2.access)
        operation = {
            "operationId": self._name_of(face),
            "tags": [face.method.containing_service.name],
            "summary": comment.partition(". ")[0].rstrip("."),
            "description": f"{comment} {_roles_of(access)}",
            "parameters": self._parameters(face),
            "responses": self._successes(face) | self._refusals.of(face),
        }
        operation |= {"requestBody": self._body(face)} if face.body else {}
        return operation | ({"security": []} if access.anyone else {})

    def _name_of(self, face: Face) -> str:
        """The method's, and for its further paths also what they name beside the first."""
        first = next(each for each in self._faces if each.method is face.method)
        added = [name for name in face.variables if name not in first.variables]
        return face.method.name + "".join(f"Of{name.removesuffix('_id').title()}" for name in added)

    def _parameters(self, face: Face) -> list[dict[str, Any]]:
        fields = face.request.fields_by_name
        path = [self._parameter("path", name, fields[name], True) for name in face.variables]
        in_query = {} if face.body == "*" else dict(query_fields(face.request, face.not_in_query))
        query = [
            self._parameter("query", name, given.field, is_required(given.field)) for name, given in in_query.items()
        ]
        headers = [self._header(face, header.header, fields[header.field]) for header in face.options.headers]
        common = ["If-None-Match", "traceparent"] if _is_tagged(face) else ["traceparent"]
        return path + query + headers + [reference("parameters", name) for name in common]

    def _parameter(self, place: str, name: str, field: FieldDescriptor, required: bool) -> dict[str, Any]:
        schema = self._schemas.given_field(field)
        description = schema.pop("description")
        return {"name": name, "in": place, "required": required, "description": description, "schema": schema}

    def _header(self, face: Face, name: str, field: FieldDescriptor) -> dict[str, Any]:
        if name == "prefer":
            return {"name": "Prefer", "in": "header", "description": _PREFER, "schema": {"type": "string"}}
        parameter = self._parameter("header", name.title(), field, False)
        if face.raw_body is None:
            parameter["description"] += f" Instead of `{field.name}` in the body."
        return parameter

    def _body(self, face: Face) -> dict[str, Any]:
        if face.raw_body is not None:
            return {"required": True, "content": _raw_content(face)}
        if face.body != "*":
            return {
                "content": {
                    "application/json": {"schema": self._schemas.given_field(face.request.fields_by_name[face.body])}
                }
            }
        elsewhere = frozenset(face.variables)
        headers = frozenset(header.field for header in face.options.headers)
        schema = self._schemas.given(face.request, elsewhere, may_lack=headers)
        content = {"schema": schema, "example": example_request(face.request, elsewhere)}
        return {"required": "required" in schema, "content": {"application/json": content}}

    def _successes(self, face: Face) -> dict[str, Any]:
        if is_http_body(face.response):
            return {"200": _response("The file.", {"text/csv": {"schema": {"type": "string"}}}, "Content-Disposition")}
        if face.options.event_stream:
            return {"200": _response(_EVENTS, {"text/event-stream": self._event_stream(face)})}
        content = {"application/json": self._shown(face)}
        return {code: _response(text, content, *headers) for code, text, headers in _outcomes(face)} | (
            {"304": {"description": "It is what you have.", "headers": _named("X-Trace-Id", "ETag")}}
            if _is_tagged(face)
            else {}
        )

    def _event_stream(self, face: Face) -> dict[str, Any]:
        data = example_message(face.response)
        lines = f"id: {data.pop('id')}\nevent: {data.pop('type')}\ndata: {dump(data).decode()}\n\n"
        return {"schema": {}, "example": lines, "x-event-data": self._schemas.shown(face.response)}

    def _shown(self, face: Face) -> dict[str, Any]:
        if face.list_field is None:
            data, meta = self._schemas.shown(face.response), {}
            example: dict[str, Any] = {"data": example_message(face.response)}
        else:
            one = message_of(face.list_field)
            data, meta = {"type": "array", "items": self._schemas.shown(one)}, {"meta": self._meta(face)}
            others = example_message(face.response, frozenset({face.options.list_field}))
            pages = {"page_size": 15, "next_page_token": None}
            example = {"data": [example_message(one)], "meta": others | pages}
        properties = {"data": data, **meta}
        return {
            "schema": {"type": "object", "properties": properties, "required": list(properties)},
            "example": example,
        }

    def _meta(self, face: Face) -> Schema:
        """All that a list's message has beside its items; every list tells its page."""
        self._schemas.shown(face.response)
        whole = self._schemas.components.pop(face.response.full_name)["properties"]
        others = {name: schema for name, schema in whole.items() if name != face.options.list_field}
        silent = {"unreachable": _UNREACHABLE} if face.options.fan_out else {}
        properties = (
            others | silent | {"page_size": {"type": "integer"}, "next_page_token": {"type": ["string", "null"]}}
        )
        return {"type": "object", "properties": properties, "required": ["page_size", "next_page_token"]}


def _roles_of(access: options_pb2.Access) -> str:
    if access.anyone:
        return "Needs no token: what is sent proves itself."
    roles = ", ".join(options_pb2.Role.Name(role).removeprefix("ROLE_").lower() for role in access.roles)
    return f"Roles: {roles or 'none'}."


def _outcomes(face: Face) -> list[tuple[str, str, list[str]]]:
    """How a call may end well: code, what it means, headers."""
    if face.raw_body is not None:
        return [("202", "It is taken; what becomes of it is told later.", [])]
    if face.verb == "GET":
        return [("200", "As asked.", ["ETag"] if _is_tagged(face) else [])]
    if face.options.coalesced_by:
        headers = ["Location", "Preference-Applied"]
        return [
            ("201", "Decided in its favour.", headers),
            ("200", "The same for an equal request that was here before.", [*headers, "Idempotent-Replayed"]),
            ("202", "Stored, but not decided yet.", [*headers, "Idempotent-Replayed"]),
        ]
    made = [("201", "Made.", []), ("200", "An equal request had made it before.", ["Idempotent-Replayed"])]
    done: list[tuple[str, str, list[str]]] = [
        ("200", "Done.", []),
        *([("202", "Begun; not finished yet.", [])] if face.verb == "POST" else []),
    ]
    return made if face.options.creates else done


def _is_tagged(face: Face) -> bool:
    return face.verb == "GET" and face.list_field is None and "version" in face.response.fields_by_name


def _response(description: str, content: Mapping[str, Any], *headers: str) -> dict[str, Any]:
    return {"description": description, "headers": _named("X-Trace-Id", *headers), "content": content}


def _named(*headers: str) -> dict[str, Any]:
    return {name: reference("headers", name) for name in headers}


def _raw_content(face: Face) -> dict[str, Any]:
    binary = {"type": "string", "contentMediaType": "application/octet-stream"}
    part = {"properties": {face.body: binary}, "required": [face.body], "additionalProperties": False}
    form = {"type": "object", **part}
    is_upload = bool(face.options.coalesced_by)
    return (
        {"text/csv": {"schema": binary}, "multipart/form-data": {"schema": form}}
        if is_upload
        else {"*/*": {"schema": binary}}
    )


def _health_operation(path: str, text: str) -> dict[str, Any]:
    content = {"application/json": {"schema": reference("schemas", "Health")}}
    responses = {"200": _response("It is.", content), "503": _response("It is not.", content)}
    name = path.strip("/").replace("/", "-")
    problem = {
        "default": {"description": "A refusal.", "content": {MEDIA_TYPE: {"schema": reference("schemas", "Problem")}}}
    }
    return {"operationId": name, "tags": ["Health"], "summary": text, "security": [], "responses": responses | problem}


def _problem_schema() -> Schema:
    text: Schema = {"type": "string"}
    errors = {
        "type": "object",
        "additionalProperties": {"type": "array", "items": text},
        "examples": [{"items[0].quantity": ["must be a whole number"]}],
    }
    properties = {
        "type": text, "title": text, "status": {"type": "integer"}, "detail": text, "instance": text,
        "error_code": text | {"examples": ["validation_error"]}, "message": text, "errors": errors, "trace_id": text,
    }  # fmt: skip
    return {
        "type": "object",
        "description": "RFC 9457; some codes add members, as `shortages`.",
        "properties": properties,
        "required": list(properties),
    }


def _version() -> str:
    try:
        return version("order-system")
    except PackageNotFoundError:
        return "0"


_UNREACHABLE: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Services that did not answer; absent where one service was asked.",
}
_HEALTH: Schema = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded"]},
        "services": {"type": "object", "additionalProperties": {"type": "string"}},
        "timestamp": {"type": "string", "format": "date-time"},
    },
    "required": ["status", "services", "timestamp"],
}
_INTRODUCTION = (
    "Money is a decimal string with its currency beside it, times are RFC 3339 in UTC, whole numbers are JSON numbers, "
    "absent values are null. Unknown fields in a request are refused by name. Every answer carries `X-Trace-Id`. "
    "Success is `{data}` or `{data, meta}`, a refusal is a problem document. `/api` is the current version."
)
