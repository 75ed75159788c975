"""The simulated suppliers over HTTP, all behind one address.

    POST /{supplier}/reserve          {"sku", "quantity", "reference", "scenario"?} → {"accepted", "ref", "reason"?}
    GET  /{supplier}/status/{ref}     → {"status": "ok" | "fail" | "delayed" | "underway", "reason"?}
    POST /{supplier}/cancel/{ref}     → {"cancelled"}

`reference` is the key of the order at whoever orders, said again as Idempotency-Key: the same one is the same order.
`ref` is the supplier's own name for it, and either of the two is understood. 404: it was never asked for here.
"""

import asyncio
import hmac
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeGuard
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.database import Database, rows_of
from chassis.errors import Unavailable
from chassis.ids import is_id
from chassis.logs import get_logger
from chassis.simulation.switch import Endpoint, Switch, said
from chassis.simulation.webhooks import WebhookSender
from supplier_service.simulator.journal import SCHEMA, Asked, Journal, key_of, reference_of
from supplier_service.simulator.scenarios import Plan, Reply
from supplier_service.simulator.settings import SuppliersSimulatorSettings
from supplier_service.simulator.webhooks import delivered, failed

_STATUSES: Final = {
    Reply.DELIVERED: "ok",
    Reply.FAILED: "fail",
    Reply.DELAYED: "delayed",
    Reply.UNDERWAY: "underway",
}
_LONGEST: Final = 255
_LARGEST: Final = 2**63 - 1
_RESUME_SECONDS: Final = 1.0

log = get_logger(__name__)


class SupplierWorld:
    """All suppliers of the simulated world, with one journal."""

    def __init__(self, settings: SuppliersSimulatorSettings, switch: Switch) -> None:
        self._books = Database(
            settings.suppliers_simulator_database_url, schema=SCHEMA, application_name="suppliers-simulator"
        )
        self._journal = Journal(self._books, settings.chances)
        self._switch = switch
        self._token = settings.supplier_token
        self._sender = WebhookSender(settings.door, settings.supplier_webhook_secret, switch)
        self._deliveries: set[asyncio.Task[None]] = set()

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        """All that suppliers can be asked."""
        return [
            ("POST", "/{supplier:path}/reserve", self._known_caller(self.reserve)),
            ("GET", "/{supplier:path}/status/{ref}", self._known_caller(self.status)),
            ("POST", "/{supplier:path}/cancel/{ref}", self._known_caller(self.cancel)),
        ]

    async def start(self) -> None:
        """Take up the deliveries that were promised before this process was there."""
        self._keep(self._resume())

    async def stop(self) -> None:
        """Deliver nothing more; what was promised is taken up by the next process."""
        for task in self._deliveries:
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        await self._sender.close()
        await asyncio.to_thread(self._books.close)

    def ping(self) -> None:
        """Raises Unavailable while the books are away."""
        self._books.read(lambda connection: rows_of(connection, "SELECT 1"))

    async def reserve(self, request: Request) -> Response:
        """Take goods on, or not; the same key is the same request."""
        try:
            asked = asked_in(request.path_params["supplier"], request.headers, await request.body())
        except ValueError as error:
            return said({"error": str(error)}, 422)
        if self._switch.fails_for_good():
            asked = asked._replace(scenario="fail")
        plan = await self._journal.reserve(asked)
        if plan.webhook_after is not None:
            self._keep(self._deliver(asked.supplier, asked.key, plan.webhook_after))
        await asyncio.sleep(plan.after_ms / 1000)
        if plan.reply is Reply.ERROR:
            return _error()
        answer = {"accepted": plan.reply is Reply.ACCEPTED, "ref": reference_of(asked.key)}
        return said(answer if answer["accepted"] else answer | {"reason": "The supplier does not take this order on."})

    async def status(self, request: Request) -> Response:
        """How an order stands."""
        key = key_of(request.path_params["ref"])
        plan = await self._journal.check(request.path_params["supplier"], key) if key else Plan(Reply.UNKNOWN)
        await asyncio.sleep(plan.after_ms / 1000)
        if plan.reply is Reply.ERROR:
            return _error()
        if plan.reply is Reply.UNKNOWN:
            return said({"error": "there is no such order"}, 404)
        answer = {"status": _STATUSES[plan.reply]}
        return said(answer | {"reason": "The supplier will not deliver."} if plan.reply is Reply.FAILED else answer)

    async def cancel(self, request: Request) -> Response:
        """Let an order go, where it was not delivered."""
        key = key_of(request.path_params["ref"])
        if key is None:
            return said({"error": "there is no such order"}, 404)
        return said({"cancelled": await self._journal.cancel(request.path_params["supplier"], key)})

    def _known_caller(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for those alone who bring the token, where there is one, and name a supplier."""

        async def answer(request: Request) -> Response:
            wanted, brought = f"Bearer {self._token}", request.headers.get("authorization", "")
            if self._token and not hmac.compare_digest(wanted.encode(), brought.encode()):
                return said({"error": "the token is missing, or wrong"}, 401)
            if not _is_name(request.path_params["supplier"]):
                return said({"error": "there is no such supplier"}, 404)
            return await endpoint(request)

        return answer

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        # The event loop itself holds tasks weakly only.
        task = asyncio.create_task(work)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _resume(self) -> None:
        while True:
            try:
                for supplier, key, seconds in await self._journal.to_tell():
                    self._keep(self._deliver(supplier, key, seconds))
            except Unavailable as error:
                log.warning("what is to be delivered could not be read", error=str(error))
                await asyncio.sleep(_RESUME_SECONDS)
            else:
                return

    async def _deliver(self, supplier: str, key: str, seconds: float) -> None:
        """Send the goods, and tell; where the books are away, whoever checks later finds them delivered."""
        await asyncio.sleep(seconds)
        try:
            if await self._journal.deliver(key):
                path = f"/api/v1/webhooks/suppliers/{quote(supplier, safe='')}"
                self._sender.tell(path, delivered(key), lie=failed(key))
        except Unavailable as error:
            log.warning("a delivery was not told", supplier_order_id=key, error=str(error))


def asked_in(supplier: str, headers: Mapping[str, str], body: bytes) -> Asked:
    """The goods that a request asks for. Raises ValueError naming what does not fit."""
    told = orjson.loads(body)
    if not isinstance(told, dict):
        raise ValueError("an object is needed")
    key = str(told.get("reference", "")).lower()
    if not is_id(key) or headers.get("idempotency-key", key).lower() != key:
        raise ValueError("reference: must be a UUID, and the same as Idempotency-Key")
    sku, quantity, scenario = told.get("sku"), told.get("quantity"), told.get("scenario", "")
    if not (_is_name(sku) and (scenario == "" or _is_name(scenario))):
        raise ValueError(f"sku: must be text of 1 to {_LONGEST} characters, as scenario where it is given")
    if type(quantity) is not int or not 0 < quantity <= _LARGEST:
        raise ValueError("quantity: must be a whole number greater than 0")
    return Asked(key, supplier, sku, quantity, scenario)


def _is_name(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and 0 < len(text) <= _LONGEST and text.isprintable()


def _error() -> Response:
    return said({"error": "internal server error"}, 500)
