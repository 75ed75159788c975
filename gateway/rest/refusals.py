"""How the OpenAPI document tells of refusals: what any call may be told, and what a method's own rules say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pool

from gateway.rest.examples import example_message
from gateway.rest.faces import Face
from gateway.rest.fields import option
from gateway.rest.problems import Problem, http_status_of
from gateway.rest.schemas import Schema, Schemas
from protos.options.v1 import options_pb2

MEDIA_TYPE = "application/problem+json"

USUAL: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "400": ("malformed_request", "The request cannot be read.", ()),
    "401": ("unauthenticated", "This call needs a valid token.", ("WWW-Authenticate",)),
    "403": ("permission_denied", "This is not yours to do.", ()),
    "404": ("not_found", "There is nothing here, or not for you.", ()),
    "408": ("request_timeout", "The body did not arrive in time.", ()),
    "413": ("payload_too_large", "The body is too large.", ()),
    "415": ("unsupported_media_type", "The body is of another kind.", ()),
    "422": ("validation_error", "It does not fit; `errors` says why, by field.", ()),
    "429": ("too_many_requests", "Too many requests; `Retry-After` tells when.", ("Retry-After", "RateLimit")),
    "431": ("head_too_large", "Request line and headers are too large.", ()),
    "500": ("internal", "Something went wrong on our side.", ()),
    "503": ("unavailable", "What is needed is away or busy; `Retry-After` tells when.", ("Retry-After",)),
    "504": ("deadline_exceeded", "No answer came in time; what was asked may still happen.", ()),
}
"""By status: the code that no rule of a method's own stands behind, what it says, and its headers."""
_ALWAYS = ("400", "429", "431", "500", "503", "504")
_WITH_TOKEN = ("401", "403")
_WITH_BODY = ("408", "413", "415")
_EXAMPLE_PATH = "/api/v1/orders"
_EXAMPLE_TRACE = "0af7651916cd43dd8448eb211c80319c"
_WRONG = {"items[0].quantity": ["must be a whole number"]}


class Refusals:
    """Describes refusals; what any call may be told is described once."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def components(self) -> dict[str, Schema]:
        """The responses that operations refer to."""
        return {status: self._response([code], text, headers) for status, (code, text, headers) in USUAL.items()}

    def of(self, face: Face) -> dict[str, Schema]:
        """The refusals of one operation, by status."""
        own = _own(face)
        found = {status: reference("responses", status) for status in _usual(face)}
        for status, rules in own.items():
            code, text, headers = USUAL.get(status, ("", "A rule stands against it.", ()))
            codes = [code] if status in found and code not in rules else []
            found[status] = self._response([*codes, *rules], text, headers, rules)
        return dict(sorted(found.items()))

    def _response(
        self, codes: Sequence[str], text: str, headers: Iterable[str], rules: Mapping[str, str] | None = None
    ) -> Schema:
        """`rules`: the messages that come with those codes that have one."""
        named = ", ".join(f"`{code}`" for code in codes)
        examples = {code: {"value": self._example(code, text, (rules or {}).get(code, ""))} for code in codes}
        own = {"properties": {"error_code": {"type": "string", "enum": list(codes)}}, "required": ["error_code"]}
        members = [self._members(details) for details in (rules or {}).values() if details]
        schema = {"allOf": [reference("schemas", "Problem"), own, *members]}
        return {
            "description": f"{text} {named}.",
            "headers": {name: reference("headers", name) for name in ("X-Trace-Id", *headers)},
            "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
        }

    def _members(self, details: str) -> Schema:
        """The members that a rule adds to its problem; other codes of the same status have none of them."""
        message = descriptor_pool.Default().FindMessageTypeByName(details)
        self._schemas.shown(message)
        return {"properties": self._schemas.components[message.full_name]["properties"]}

    def _example(self, code: str, text: str, details: str) -> dict[str, Any]:
        status = _STATUS_BY_CODE.get(code, 422)
        errors = _WRONG if code == "validation_error" else {}
        members = example_message(descriptor_pool.Default().FindMessageTypeByName(details)) if details else {}
        return Problem(status, code, text, errors, members).document(_EXAMPLE_PATH, _EXAMPLE_TRACE)


def reference(kind: str, name: str) -> dict[str, str]:
    """A reference to one of the document's components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def _usual(face: Face) -> list[str]:
    is_open = option(face.method, options_pb2.access).anyone
    return [
        *_ALWAYS,
        *(() if is_open else _WITH_TOKEN),
        *(_WITH_BODY if face.body else ()),
        *(("422",) if face.request.fields or face.body else ()),
        *(("404",) if face.variables else ()),
    ]


def _own(face: Face) -> dict[str, dict[str, str]]:
    """By status: the codes of the method's own rules, and the message that comes with each."""
    found: dict[str, dict[str, str]] = {}
    for rule in option(face.method, options_pb2.refusals):
        found.setdefault(str(http_status_of(rule.status, rule.code)), {})[rule.code] = rule.details
    return found


_STATUS_BY_CODE = {code: int(status) for status, (code, _, _) in USUAL.items()}
