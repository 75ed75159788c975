"""Suppliers over HTTP, behind one address; what is asked and answered there is told in supplier_service.simulator.http.

Nothing is asked twice in here: a question without an answer is SupplierTrouble, its row in `calls` says when it is
asked again (1 s, doubling, up to 5 min), and every question is harmless when it is: a request for goods carries its
key, a check changes nothing, and letting go twice is letting go once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

from chassis.outside import Limits, Outside, OutsideTrouble
from supplier_service.domain import (
    Accepted,
    Cancelled,
    Delayed,
    Delivered,
    Failed,
    Rejected,
    SupplierTrouble,
    TooLate,
    Underway,
)
from supplier_service.ports import Named, ReserveRequest

A = TypeVar("A")

_CONTEXT: Final = "suppliers"
_NAME: Final = "suppliers"
_LONGEST: Final = 255
_LONGEST_REASON: Final = 1_000


class HttpSupplier:
    """All suppliers that are reached over one address. Its methods run on one event loop."""

    def __init__(self, url: str, limits: Limits, token: str = "") -> None:
        self._outside = Outside(_CONTEXT, _NAME, url, limits, token=token)

    async def close(self) -> None:
        """Let go of the connections; on the event loop that asked."""
        await self._outside.close()

    async def reserve(self, request: ReserveRequest) -> Accepted | Rejected:
        """Ask for the goods; the same key again is the same request."""
        document = {
            "sku": request.sku,
            "quantity": request.quantity,
            "reference": request.key,
            **({"scenario": request.scenario} if request.scenario else {}),
        }
        read = _reserved_under(request.key)
        return await self._ask("POST", _path(request.supplier, "reserve"), read, document, request.key)

    async def check(self, named: Named) -> Delivered | Delayed | Underway | Failed:
        """How a supplier order stands."""
        return await self._ask("GET", _path(named.supplier, "status", named.reference or named.key), _standing)

    async def cancel(self, named: Named) -> Cancelled | TooLate:
        """Let it go; harmless when said twice, and before the request has come."""
        path = _path(named.supplier, "cancel", named.reference or named.key)
        return await self._ask("POST", path, _let_go, key=named.key)

    async def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any], A],
        document: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> A:
        def answer_in(status: int, told: Any) -> "A | SupplierTrouble":
            # An answer, but none that decides anything: no reason for the breaker to leave the other side alone.
            return read(told) if status < 300 else SupplierTrouble(f"answered {status}")

        headers = {"idempotency-key": key} if key else {}
        try:
            answer = await self._outside.ask(method, path, answer_in, document=document, headers=headers)
        except OutsideTrouble as trouble:
            raise SupplierTrouble(str(trouble)) from trouble
        if isinstance(answer, SupplierTrouble):
            raise answer
        return answer


def _path(*names: str) -> str:
    return "".join(f"/{quote(name, safe='')}" for name in names)


def _reserved_under(key: str) -> Callable[[Any], Accepted | Rejected]:
    def read(told: Any) -> Accepted | Rejected:
        if told["accepted"] is True:
            return Accepted(_reference(told) or key)
        if told["accepted"] is False:
            return Rejected(_reason(told))
        raise ValueError("accepted is neither true nor false")

    return read


def _standing(told: Any) -> Delivered | Delayed | Underway | Failed:
    match told["status"]:
        case "ok":
            return Delivered()
        case "fail":
            return Failed(_reason(told))
        case "delayed":
            return Delayed()
        case "underway":
            return Underway()
    raise ValueError("a status that nobody knows")


def _let_go(told: Any) -> Cancelled | TooLate:
    if told["cancelled"] is True:
        return Cancelled()
    if told["cancelled"] is False:
        return TooLate()
    raise ValueError("cancelled is neither true nor false")


def _reference(told: Any) -> str:
    """The supplier's own name for it, empty where it has none; one that could lead to another address is none."""
    name = told.get("ref") or ""
    if not isinstance(name, str) or len(name) > _LONGEST or not name.isprintable() or name in (".", ".."):
        raise ValueError("a reference that cannot be said again")
    return name


def _reason(told: Any) -> str:
    reason = told.get("reason") or ""
    return reason[:_LONGEST_REASON] if isinstance(reason, str) and reason.isprintable() else ""
