"""The one file of a `multipart/form-data` body, piece by piece as it arrives."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.rest.problems import Problem, invalid

_HEADER_BYTES = 8 << 10


class FileOfForm:
    """A form that consists of one file; anything else in it is refused by name."""

    def __init__(self, content_type: str, field: str) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _malformed("it names no boundary")
        self.name: str | None = None
        """The file's name; None until the file begins."""
        self._field = field
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._disposition = b""
        self._found: list[bytes] = []
        self._is_complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    async def pieces(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The file's bytes; Problem when the form is broken, cut off, or has no file.

        The first piece is empty and comes as soon as the file's name is known.
        """
        is_told = False
        async for piece in body:
            self._feed(piece)
            if self.name is not None and not is_told:
                is_told = True
                yield b""
            for found in self._found:
                yield found
            self._found.clear()
        if not self._is_complete:
            raise _malformed("it ends before its last boundary")
        if self.name is None:
            raise invalid({self._field: ["is required"]})

    def _feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed("its parts cannot be read") from error

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._append(0, data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._append(1, data[start:end])

    def _append(self, which: int, piece: bytes) -> None:
        self._header[which].extend(piece)
        if len(self._header[which]) > _HEADER_BYTES:
            raise _malformed("the header of a part is too long")

    def _on_header_end(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != self._field:
            raise invalid({field[:255] or "body": ["is not a known part of this form"]})
        if self.name is not None:
            raise invalid({field: ["is given more than once"]})
        self.name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _on_end(self) -> None:
        self._is_complete = True


def _malformed(why: str) -> Problem:
    return Problem(400, "malformed_request", f"The form cannot be read: {why}.")
