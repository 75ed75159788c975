"""Where the fields of a method's request come from: path, query, headers and body."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.rest.decoding import Fields, Readers, missing, not_missing
from gateway.rest.faces import Face
from gateway.rest.fields import is_map, is_message, message_of
from gateway.rest.preferences import read_preference
from gateway.rest.problems import invalid
from gateway.rest.requests import Request
from gateway.rest.scalars import Read, text_reader_of
from gateway.rest.wrong import Errors, Wrong, add_under


class Binding:
    """Collects the fields of one face's requests; compiled once."""

    def __init__(self, face: Face, readers: Readers) -> None:
        self._whole = readers.of(face.request)
        self._body_field = face.request.fields_by_name.get(face.body)
        self._read_body_field = readers.field(self._body_field) if self._body_field and not face.raw_body else None
        self._takes_whole_body = face.body == "*"
        self._most = face.max_body_bytes
        fields = face.request.fields_by_name
        self._path = [(name, text_reader_of(fields[name])) for name in face.variables]
        self._headers = [(h.header.encode(), h.field, text_reader_of(fields[h.field])) for h in face.options.headers]
        self._query = {} if self._takes_whole_body else dict(query_fields(face.request, face.not_in_query))
        self._required = self._whole.required - ({face.body} if face.raw_body else set())

    async def fields(self, request: Request) -> Fields:
        """The request's fields as keyword arguments; Problem naming each one that does not fit."""
        errors: Errors = {}
        fields = await self._from_body(request, errors)
        if self._path:
            self._from_path(request, fields, errors)
        if request.query:
            self._from_query(request, fields, errors)
        for header, name, read in self._headers:
            if header in request.headers:
                self._from_header(header, name, read, request, fields, errors)
        if not errors and not self._required <= fields.keys():
            errors = missing(self._required, fields)
        if errors:
            raise invalid(errors)
        return fields

    async def _from_body(self, request: Request, errors: Errors) -> Fields:
        try:
            if self._takes_whole_body:
                return self._whole.given(await request.json(self._most))
            if self._read_body_field and self._body_field:
                return {self._body_field.name: self._read_body_field(await request.json(self._most))}
        except Wrong as refused:
            add_under("", refused.errors, errors)
        return {}

    def _from_path(self, request: Request, fields: Fields, errors: Errors) -> None:
        for name, read in self._path:
            not_missing(name, errors)
            try:
                _fill(fields, name, read(request.variables[name]), "the path", errors)
            except Wrong as refused:
                add_under(name, refused.errors, errors)

    def _from_query(self, request: Request, fields: Fields, errors: Errors) -> None:
        for name, text in request.parameters:
            found = self._query.get(name)
            try:
                if found is None:
                    errors[name[:255]] = ["is not a known parameter"]
                else:
                    found.put(fields, text)
            except Wrong as refused:
                add_under(name, refused.errors, errors)

    def _from_header(
        self, header: bytes, name: str, read: Read, request: Request, fields: Fields, errors: Errors
    ) -> None:
        text = request.header(header) or ""
        if header == b"prefer":
            if (preference := read_preference(text)) is not None:
                _fill(fields, name, preference.wait_ms, "the Prefer header", errors)
            return
        not_missing(name, errors)
        try:
            _fill(fields, name, read(text), f"the {header.decode().title()} header", errors)
        except Wrong as refused:
            add_under(name, refused.errors, errors)


class QueryField:
    """A field of the request, perhaps inside of another, that a query parameter fills."""

    def __init__(self, path: tuple[str, ...], field: FieldDescriptor) -> None:
        self.path = path
        self.field = field
        self._read = text_reader_of(field)

    def put(self, fields: Fields, text: str) -> None:
        """Reads `text` into its place; Wrong when it does not fit, or is given twice where one is meant."""
        place: dict[str, Any] = fields
        for name in self.path[:-1]:
            place = place.setdefault(name, {})
        value = self._read(text)
        if self.field.is_repeated:
            place.setdefault(self.path[-1], []).append(value)
        elif self.path[-1] in place:
            raise Wrong({"": ["is given more than once"]})
        else:
            place[self.path[-1]] = value


def query_fields(message: Descriptor, taken: set[str], scope: tuple[str, ...] = ()) -> Iterator[tuple[str, QueryField]]:
    """What may stand in the query: each field that is not `taken`, those of an inner message as `inner.field`."""
    for field in message.fields:
        path = (*scope, field.name)
        if (not scope and field.name in taken) or is_map(field):
            continue
        if not is_message(field):
            yield ".".join(path), QueryField(path, field)
        elif not field.is_repeated and len(scope) < 2:
            yield from query_fields(message_of(field), taken, path)


def _fill(fields: Fields, name: str, value: object, source: str, errors: Errors) -> None:
    """What is said twice must be the same."""
    if fields.setdefault(name, value) != value:
        errors[name] = [f"differs between {source} and the body"]
