"""How a response looks as an answer: `data`, the `meta` of lists, and the headers that follow from it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from gateway.rest.answers import REVALIDATED, Answer, of_json
from gateway.rest.encoding import Writers
from gateway.rest.faces import Face
from gateway.rest.requests import Request

Document = dict[str, Any]
Shape = Callable[[Any], Document]


def shape_of(face: Face, writers: Writers) -> Shape:
    """Turns the face's responses into documents."""
    write = writers.of(face.response)
    if face.list_field is None:
        return lambda response: {"data": write(response)}
    name = face.list_field.name

    def shape_list(response: Message) -> Document:
        meta = write(response)
        data = meta.pop(name)
        return {"data": data, "meta": with_page(meta, data)}

    return shape_list


def with_page(meta: Document, data: list[Any]) -> Document:
    """Every list tells its page, also one that has only one."""
    return {
        **meta,
        "page_size": meta.get("page_size") or len(data),
        "next_page_token": meta.get("next_page_token") or None,
    }


def tagged(document: Document, request: Request, status: int = 200) -> Answer:
    """A single resource under its version: 304 when the client has this one already."""
    data = document["data"]
    version = data.get("version") if isinstance(data, dict) else None
    if not version:
        return of_json(status, document)
    tag = f'"{version}"'
    headers = ((b"etag", tag.encode()),)
    if _is_known(tag, request.header(b"if-none-match") or ""):
        return Answer(304, headers=headers, common=REVALIDATED)
    return replace(of_json(status, document, headers), common=REVALIDATED)


def _is_known(tag: str, if_none_match: str) -> bool:
    """Weak comparison, as RFC 9110 asks for `If-None-Match`."""
    known = [given.strip().removeprefix("W/") for given in if_none_match.split(",")]
    return tag in known or known == ["*"]
