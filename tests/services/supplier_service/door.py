"""A door for webhooks, as the gateway has one: what is signed is taken in by a desk, and everything is counted."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from chassis.simulation.switch import Endpoint, said
from chassis.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, BadSignature, WebhookSecret
from supplier_service import wire
from supplier_service.queries import SupplierOrderNotFound
from tests.services.supplier_service.desk import Desk

_OUTCOMES: Final = {True: "applied", False: "repeated"}


class Door:
    """Lets messages in to the desk that stands behind it, once there is one."""

    def __init__(self, secret: str) -> None:
        self._secret = WebhookSecret(secret)
        self.desk: Desk | None = None
        self.met: Counter[str] = Counter()

    def endpoints(self) -> Sequence[tuple[str, str, Endpoint]]:
        return [("POST", "/api/v1/webhooks/suppliers/{supplier}", self._take)]

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def ping(self) -> None:
        pass

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        try:
            self._secret.verify(request.headers[TIMESTAMP_HEADER], request.headers[SIGNATURE_HEADER], body)
        except BadSignature:
            return self._counted("forged", 401)
        assert self.desk is not None
        [outcome] = await run_in_threadpool(
            self.desk.news, wire.news_of(body), supplier=request.path_params["supplier"]
        )
        if isinstance(outcome, SupplierOrderNotFound):
            return self._counted("unknown", 404)
        return self._counted(_OUTCOMES[outcome], 202)

    def _counted(self, outcome: str, status: int) -> Response:
        self.met[outcome] += 1
        return said({}, status)
