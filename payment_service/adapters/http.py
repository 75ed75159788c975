"""A provider that is asked over HTTP, as `payment_service.simulator.http` answers: charges, refunds, and its books."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from chassis import outside
from chassis.outside import Limits, Outside
from payment_service.domain import (
    Captured,
    Declined,
    ErrorAnswer,
    NotFound,
    NotSent,
    Refunded,
    Refused,
    TheirEntry,
    TimedOut,
    Voided,
)
from payment_service.ports import ChargeRequest, RefundRequest

_CONTEXT: Final = "payments"
_NAME: Final = "provider"
_JOURNAL_CONNECTIONS: Final = 1

A = TypeVar("A")
Document = Mapping[str, Any]
Makers = Mapping[str, Callable[[Document], A]]
"""By the status that a document names: what it says."""


class HttpProvider:
    """A provider at a URL. Its methods run on one event loop."""

    def __init__(self, url: str, limits: Limits, token: str = "") -> None:
        self._outside = Outside(_CONTEXT, _NAME, url, limits, token=token)

    async def close(self) -> None:
        """Let go of the connections; on the event loop that asked."""
        await self._outside.close()

    async def charge(self, request: ChargeRequest) -> Captured | Declined:
        """Take the money; the same key again gives the same answer, and takes nothing more."""
        asked = request._asdict()
        return await self._asked("POST", "/charges", asked.pop("key"), _CHARGED, asked)

    async def look_up(self, key: str) -> Captured | Declined | Voided | NotFound:
        """What became of the charge under a key."""
        return await self._asked("GET", f"/charges/{key}", key, _FOUND)

    async def void(self, key: str) -> Voided | NotFound:
        """Take back all that was charged under a key; harmless when said twice."""
        return await self._asked("POST", f"/charges/{key}/void", key, _VOIDED)

    async def refund(self, request: RefundRequest) -> Refunded | Refused:
        """Give money of a charge back; the same key again gives the same answer, and nothing more."""
        asked = request._asdict()
        return await self._asked("POST", "/refunds", asked.pop("key"), _REFUNDED, asked)

    async def look_up_refund(self, key: str) -> Refunded | NotFound:
        """What became of the refund under a key."""
        return await self._asked("GET", f"/refunds/{key}", key, _REFUND_FOUND)

    async def _asked(
        self, method: str, path: str, key: str, makers: "Makers[A]", document: Document | None = None
    ) -> A:
        def reading(_status: int, answer: Any) -> A:
            return _said_about(key, makers, answer)

        headers = {} if document is None else {"idempotency-key": key}
        async with _troubles_of_the_domain():
            return await self._outside.ask(method, path, reading, document=document, headers=headers)


class HttpJournal:
    """The books of a provider at a URL: for comparing, never for deciding. Its methods block."""

    def __init__(self, url: str, limits: Limits, token: str = "") -> None:
        self._url = url
        self._limits = Limits(limits.timeout, _JOURNAL_CONNECTIONS)
        self._token = token

    def entries(self, after: str, until: str, limit: int) -> Sequence[TheirEntry]:
        """The first entries with keys above `after`, up to `until`, in the order of their keys."""
        return asyncio.run(self._asked("GET", "/journal", query={"after": after, "until": until, "limit": limit}))

    def entries_of(self, keys: Sequence[str]) -> Sequence[TheirEntry]:
        """The entries under these keys."""
        return asyncio.run(self._asked("POST", "/journal/search", document={"keys": list(keys)}))

    async def _asked(self, method: str, path: str, **told: Any) -> list[TheirEntry]:
        # Asked seldom, from the thread of the jobs: a connection for each page is cheaper than one that is kept.
        books = Outside(_CONTEXT, f"{_NAME}_journal", self._url, self._limits, token=self._token)
        try:
            return await books.ask(method, path, _entries, **told)
        finally:
            await books.close()


@asynccontextmanager
async def _troubles_of_the_domain() -> AsyncIterator[None]:
    try:
        yield
    except outside.NotSent as trouble:
        raise NotSent(str(trouble)) from trouble
    except outside.ErrorAnswer as trouble:
        raise ErrorAnswer(str(trouble)) from trouble
    except outside.Unanswered as trouble:
        raise TimedOut(str(trouble)) from trouble


def _said_about(key: str, makers: "Makers[A]", document: Document) -> A:
    """What a document says of a key; ValueError or KeyError when it is about another, or answers something else.

    A "not found" of whoever else answers at that address must not count: a charge would be sent again for it.
    """
    if document["key"] != key:
        raise ValueError("an answer about another key")
    return makers[document["status"]](document)


def _captured(document: Document) -> Captured:
    return Captured(_text(document, "reference"), _whole(document, "amount_minor"), _text(document, "currency"))


def _refunded(document: Document) -> Refunded:
    return Refunded(_text(document, "reference"), _whole(document, "amount_minor"), _text(document, "currency"))


def _declined(document: Document) -> Declined:
    return Declined(_text(document, "code"), _text(document, "reason"))


def _voided(document: Document) -> Voided:
    return Voided(_text(document, "reference"))


def _refused(document: Document) -> Refused:
    return Refused(_text(document, "reason"))


def _not_found(_document: Document) -> NotFound:
    return NotFound()


_CHARGED: Final[Makers[Captured | Declined]] = {"captured": _captured, "declined": _declined}
_FOUND: Final[Makers[Captured | Declined | Voided | NotFound]] = {
    **_CHARGED,
    "voided": _voided,
    "not_found": _not_found,
}
_VOIDED: Final[Makers[Voided | NotFound]] = {"voided": _voided, "not_found": _not_found}
_REFUNDED: Final[Makers[Refunded | Refused]] = {"refunded": _refunded, "refused": _refused}
_REFUND_FOUND: Final[Makers[Refunded | NotFound]] = {"refunded": _refunded, "not_found": _not_found}


def _entries(status: int, document: Any) -> list[TheirEntry]:
    if status != 200:
        raise ValueError(status)
    return [
        TheirEntry(
            _text(entry, "key"),
            _whole(entry, "captured_minor"),
            _whole(entry, "returned_minor"),
            _text(entry, "currency"),
        )
        for entry in document["entries"]
    ]


def _text(document: Document, name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _whole(document: Document, name: str) -> int:
    value = document[name]
    if type(value) is not int:
        raise TypeError(f"{name} is no whole number")
    return value
