"""The simulated provider over HTTP, with its books behind it, and its webhooks.

    POST /charges               Idempotency-Key; {order_id, amount_minor, currency, payment_method}
    GET  /charges/{key}         what became of it; 404 when nothing is known
    POST /charges/{key}/void    takes it back; 404 when there is nothing to be taken back
    POST /refunds               Idempotency-Key; {charge_key, amount_minor, currency}; 422 when it is refused
    GET  /refunds/{key}
    GET  /journal               ?after&until&limit: its books added up by key, in the order of the keys
    POST /journal/search        {keys}: the same of these keys

Every answer names the key it is about, and its `status`: captured, declined, voided, refunded, refused, not_found.
"""

import asyncio
import hmac
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from chassis.batcher import Batcher
from chassis.database import Database, Row
from chassis.ids import is_id
from chassis.simulation.switch import Endpoint, Silence, Switch, said
from chassis.simulation.webhooks import WebhookSender
from payment_service.simulator.journal import SCHEMA, Charge, Journal, LookUp, Request, Told, Void
from payment_service.simulator.ledger import Ledger
from payment_service.simulator.refunds import Refund, RefundLookUp
from payment_service.simulator.settings import ProviderSettings

WEBHOOK_PATH: Final = "/api/v1/webhooks/payments/simulated"
_DECLINED: Final = "sim_declined"
_STATUS: Final = {"not_found": 404, "refused": 422, "error": 409}
_MOST_ENTRIES: Final = 1_000
_LONGEST: Final = 255


class Malformed(Exception):
    """A request that makes no sense."""


class Provider:
    """A payment provider. What comes in while its books are being written goes into the next entry."""

    def __init__(self, database: Database, journal: Journal, switch: Switch, sender: WebhookSender, token: str) -> None:
        self._database = database
        self._books: Batcher[Request, Told] = Batcher(journal.answer, context=SCHEMA, name="journal")
        self._ledger = Ledger(database)
        self._switch = switch
        self._sender = sender
        self._token = token

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        """All that it can be asked for."""
        asked: list[tuple[str, str, Endpoint]] = [
            ("POST", "/charges", self._charge),
            ("GET", "/charges/{key}", self._look_up),
            ("POST", "/charges/{key}/void", self._void),
            ("POST", "/refunds", self._refund),
            ("GET", "/refunds/{key}", self._look_up_refund),
            ("GET", "/journal", self._list),
            ("POST", "/journal/search", self._search),
        ]
        return [(method, path, self._guarded(endpoint)) for method, path, endpoint in asked]

    async def start(self) -> None:
        """Open for business."""
        self._books.start()

    async def stop(self) -> None:
        """Answer who has asked, then close."""
        await asyncio.to_thread(self._books.stop)
        await self._sender.close()
        await asyncio.to_thread(self._database.close)

    def ping(self) -> None:
        """Raises Unavailable while its books are away."""
        self._ledger.of([])

    async def _charge(self, request: HttpRequest) -> Response:
        key, asked = _key_of(request), await _document(request)
        method = _DECLINED if self._switch.fails_for_good() else _text(asked, "payment_method")
        charge = Charge(key, _id(asked, "order_id"), _amount(asked), _text(asked, "currency"), method)
        told = await self._books.submit(charge)
        self._tell_of(key, told, max(told.plan.effect_after_ms, told.plan.answer_after_ms) / 1000)
        await asyncio.sleep(told.plan.answer_after_ms / 1000)
        return Silence() if told.plan.is_silent else _answer(key, told)

    async def _look_up(self, request: HttpRequest) -> Response:
        key = _known_key(request)
        return _answer(key, await self._books.submit(LookUp(key)))

    async def _void(self, request: HttpRequest) -> Response:
        key = _known_key(request)
        told = await self._books.submit(Void(key))
        if told.state != "voided":
            return said({"key": key, "status": "not_found"}, 404)
        self._tell_of(key, told)
        return _answer(key, told)

    async def _refund(self, request: HttpRequest) -> Response:
        key, asked = _key_of(request), await _document(request)
        refund = Refund(key, _id(asked, "charge_key"), _amount(asked), _text(asked, "currency"))
        return _answer(key, await self._books.submit(refund))

    async def _look_up_refund(self, request: HttpRequest) -> Response:
        key = _known_key(request)
        return _answer(key, await self._books.submit(RefundLookUp(key)))

    async def _list(self, request: HttpRequest) -> Response:
        asked = request.query_params
        limit = asked.get("limit", str(_MOST_ENTRIES))
        if not limit.isdecimal() or not 0 < int(limit) <= _MOST_ENTRIES:
            raise Malformed(f"limit must be 1 to {_MOST_ENTRIES}")
        after, until = _id(asked, "after"), _id(asked, "until")
        return _entries(await asyncio.to_thread(self._ledger.between, after, until, int(limit)))

    async def _search(self, request: HttpRequest) -> Response:
        keys = (await _document(request)).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_ENTRIES or not all(map(_is_id, keys)):
            raise Malformed(f"keys must be at most {_MOST_ENTRIES} ids")
        return _entries(await asyncio.to_thread(self._ledger.of, keys))

    def _tell_of(self, key: str, told: Told, after_seconds: float = 0.0) -> None:
        """Tells by webhook as well, but for a method that asks for silence; a forger would say the opposite."""
        captured, declined = _captured(key, told), _declined(key, told)
        told_by: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
            "captured": (captured, declined),
            "declined": (declined, captured),
            "voided": ({"type": "payment.voided", "key": key, "reference": _reference(key)}, captured),
        }
        if told.state in told_by and not told.plan.is_silent:
            true, lie = map(orjson.dumps, told_by[told.state])
            self._sender.tell(WEBHOOK_PATH, true, after_seconds=after_seconds, lie=lie)

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint for who shows the token, and with 400 for what makes no sense."""

        async def answer(request: HttpRequest) -> Response:
            shown = request.headers.get("authorization", "").removeprefix("Bearer ")
            if self._token and not hmac.compare_digest(shown.encode(), self._token.encode()):
                return said({"error": "the token is not the agreed one"}, 401)
            try:
                return await endpoint(request)
            except Malformed as error:
                return said({"error": str(error)}, 400)

        return answer


def provider_of(settings: ProviderSettings, switch: Switch) -> Provider:
    """The provider as it is told to be."""
    url = settings.payments_simulator_database_url
    database = Database(url, schema=SCHEMA, application_name="payments-simulator", pool_size=2)
    sender = WebhookSender(settings.door, settings.payment_webhook_secret, switch)
    return Provider(database, Journal(database, settings.chances), switch, sender, settings.payment_provider_token)


def _answer(key: str, told: Told) -> Response:
    make: Callable[[str, Told], dict[str, Any]] = _SHOWN.get(told.state, _plain)
    status = 500 if told.plan.is_error else _STATUS.get(told.state, 200)
    return said({"key": key, "status": told.state, **make(key, told)}, status)


def _captured(key: str, told: Told) -> dict[str, Any]:
    return {"type": "payment.captured", "key": key, **_money(key, told)}


def _declined(key: str, told: Told) -> dict[str, Any]:
    code, reason = told.code or "card_declined", told.reason or "The card was declined."
    return {"type": "payment.declined", "key": key, "code": code, "reason": reason}


def _money(key: str, told: Told) -> dict[str, Any]:
    return {"reference": _reference(key), "amount_minor": told.amount_minor, "currency": told.currency}


def _no(_key: str, told: Told) -> dict[str, Any]:
    return {"code": told.code, "reason": told.reason}


def _plain(_key: str, told: Told) -> dict[str, Any]:
    return {"reason": told.reason} if told.reason else {}


_SHOWN: Final[dict[str, Callable[[str, Told], dict[str, Any]]]] = {
    "captured": _money,
    "declined": _no,
    "voided": _money,
    "refunded": _money,
}


def _entries(rows: Sequence[Row]) -> Response:
    names = ("key", "captured_minor", "returned_minor", "currency")
    return said({"entries": [{name: getattr(row, name) for name in names} for row in rows]})


def _reference(key: str) -> str:
    return f"sim-{key}"


def _key_of(request: HttpRequest) -> str:
    return _id(request.headers, "idempotency-key")


def _known_key(request: HttpRequest) -> str:
    return _id(request.path_params, "key")


async def _document(request: HttpRequest) -> dict[str, Any]:
    try:
        document = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Malformed("the body is not JSON") from None
    if not isinstance(document, dict):
        raise Malformed("the body must be an object")
    return document


def _id(asked: Any, name: str) -> str:
    value = asked.get(name)
    if not _is_id(value):
        raise Malformed(f"{name} must be an id")
    return str(value)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and is_id(value)


def _amount(asked: dict[str, Any]) -> int:
    value = asked.get("amount_minor")
    if type(value) is not int or not 0 < value < 2**63:
        raise Malformed("amount_minor must be a whole number above 0")
    return value


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        raise Malformed(f"{name} must be text of 1 to {_LONGEST} characters")
    return value
