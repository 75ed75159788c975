"""Who may do what, tried whole: every method by every kind of caller, at the services themselves and over REST."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import jwt
import pytest
from google.protobuf.descriptor import MethodDescriptor

from chassis import clock
from deploy.local import Stack, temporary_state
from gateway.rest.descriptors import load_descriptors
from gateway.rest.faces import Face, read_faces
from protos.orders.v1 import orders_pb2 as pb
from protos.payments.v1 import payments_pb2
from protos.payments.v1.payments_pb2_grpc import PaymentServiceStub
from tests.end_to_end.closed import PATIENCE, Closed, entry, methods, reasons, saying
from tests.issuers import SigningKey, unsigned
from tests.waiting import until

CUSTOMERS_MAY = {
    "CreateOrder", "BatchCreateOrders", "GetOrder", "BatchGetOrders", "ListOrders", "CancelOrder", "ListOrderTimeline",
    "WatchOrders", "BatchWatchOrders", "ExportOrders", "ListProducts", "GetProduct", "BatchGetProducts", "GetPayment",
    "ListPayments",
}  # fmt: skip
SERVICES_MAY = CUSTOMERS_MAY | {
    "GetStock", "ListMovements", "ReserveStock", "CommitReservation", "ReleaseReservation",
}  # fmt: skip
ANYBODY_MAY = {"ReceiveWebhook", "ReceiveProviderWebhook"}
"""In the words of the access guide, apart from the protos that are tried; what is in none is for operators alone."""
BY_ENTRY = {"BatchCreateOrders", "BatchGetOrders", "BatchWatchOrders"}
CALLERS = ("nobody", "liar", "customer", "service", "operator")
REFUSALS = {"unauthenticated", "permission_denied"}
SETTINGS = {"AUTH": "on", "RATE_LIMIT_PER_MINUTE": "1000"}
"""A limit that nothing here comes near but the test of it."""
AN_ID = "0190b6b2-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def closed() -> Iterator[Closed]:
    with temporary_state() as state, Stack(state, environment=SETTINGS) as stack:
        system = Closed(stack)
        yield system
        system.close()


@pytest.fixture(scope="module")
def callers(closed: Closed) -> dict[str, str | None]:
    """What each kind of caller sends."""
    honest = {role: closed.bearer(role, role) for role in ("customer", "service", "operator")}
    return {"nobody": None, "liar": f"Bearer {SigningKey('mine').sign({'sub': 'boss'})}", **honest}


@pytest.fixture(scope="module")
def sku(closed: Closed) -> str:
    """A product with many pieces on the shelf."""
    boss, sku = closed.bearer("operator", "boss"), f"ACCESS-{uuid.uuid4().hex[:8]}".upper()
    product = {"name": "x", "price": "1.00", "currency": "GBP", "supply": "STOCK"}
    assert closed.ask("PUT", f"/products/{sku}", boss, product).status_code in (200, 201)
    receipt = {"quantity": 1_000, "reason": "opening stock", "idempotency_key": sku}
    assert closed.ask("POST", f"/products/{sku}/receipts", boss, receipt).status_code == 201
    return sku


@pytest.fixture(scope="module")
def annas(closed: Closed, sku: str) -> str:
    """An order that anna has placed, paid by now; its id."""
    body = an_order("anna", sku)
    placed = closed.ask("POST", "/orders", closed.bearer("customer", "anna"), body)
    assert placed.status_code in (201, 202), placed.text
    order_id = str(placed.json()["data"]["id"])
    boss = closed.bearer("operator", "boss")
    assert until(lambda: closed.ask("GET", f"/orders/{order_id}/payments", boss).json()["data"], seconds=30)
    return order_id


def an_order(customer_id: str, sku: str) -> dict[str, Any]:
    return {"customer_id": customer_id, "idempotency_key": uuid.uuid4().hex, "items": [{"sku": sku, "quantity": 1}]}


def expected(method: str, caller: str) -> str:
    """The refusal that a caller earns; nothing for one who is let in."""
    if method in ANYBODY_MAY or (method in BY_ENTRY and caller == "nobody"):
        return ""
    if caller in ("nobody", "liar"):
        return "unauthenticated"
    may = {"customer": CUSTOMERS_MAY, "service": SERVICES_MAY}.get(caller)
    return "permission_denied" if may is not None and method not in may else ""


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("method", methods(), ids=lambda method: method.full_name)
def test_role_by_rpc(method: MethodDescriptor, caller: str, closed: Closed, callers: dict[str, str | None]) -> None:
    """At the services themselves, past the gateway: a mistake there opens nothing."""
    for context in closed.contexts_of(method):
        answer = closed.rpc(context, method, callers[caller])
        refusal = answer if answer in REFUSALS else ""
        assert refusal == expected(method.name, caller), f"{context}: {answer}"
        assert answer not in ("internal", "unknown", "unavailable"), f"{context}: {answer}"


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("face", read_faces(load_descriptors()), ids=lambda face: f"{face.verb} {face.template}")
def test_role_by_path(face: Face, caller: str, closed: Closed, callers: dict[str, str | None]) -> None:
    path = face.template.removeprefix("/v1")
    for name in face.variables:
        # Whoever asks for a customer asks for themselves: another one's is not a matter of roles.
        path = path.replace(f"{{{name}}}", caller if name == "customer_id" else AN_ID)
    answer = closed.ask(face.verb, path, callers[caller], {} if face.verb in ("POST", "PUT") else None)

    refusal = {401: "unauthenticated", 403: "permission_denied"}.get(answer.status_code, "")
    if face.method.name in ANYBODY_MAY:
        assert answer.status_code in (401, 404, 422), answer.text
        return
    assert refusal == expected(face.method.name, caller), answer.status_code
    assert answer.status_code < 500, answer.status_code
    if refusal:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["error_code"] == refusal
    if refusal == "unauthenticated":
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/openapi.json", "/docs", "/"])
def test_some_pages_are_for_everybody(path: str, closed: Closed) -> None:
    assert httpx.get(closed.rest + path, trust_env=False, timeout=15).status_code == 200


def test_health_and_reflection_are_for_everybody_and_the_inside_is_for_operators(
    closed: Closed, callers: dict[str, str | None]
) -> None:
    channel: Any = closed.channel("orders")
    assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)
    asked = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    assert next(asked(iter([b"\x3a\x00"]), timeout=10))
    inside = channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers")

    def is_shown(authorization: str | None) -> bool:
        try:
            return bool(inside(b"", metadata=saying(authorization) if authorization else None, timeout=10))
        except grpc.RpcError:
            return False

    assert [caller for caller in CALLERS if is_shown(callers[caller])] == ["operator"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [("GET", ""), ("POST", "/cancel"), ("GET", "/timeline"), ("GET", "/payments")],
)
def test_what_is_annas_does_not_exist_for_ben(verb: str, path: str, closed: Closed, annas: str) -> None:
    body: object = {} if verb == "POST" else None
    for customer, order_id, status in (("ben", annas, 404), ("ben", AN_ID, 404)):
        answer = closed.ask(verb, f"/orders/{order_id}{path}", closed.bearer("customer", customer), body)
        assert (answer.status_code, answer.json()["error_code"]) == (status, "not_found")
        assert answer.json()["message"].replace(order_id, "") == "there is no order "


def test_the_services_themselves_keep_ben_out(closed: Closed, annas: str) -> None:
    """What the gateway would ask for ben without looking, were it wrong."""
    metadata = saying(closed.bearer("customer", "ben"))
    asked: list[tuple[Any, Any]] = [
        (closed.orders.GetOrder, pb.GetOrderRequest(order_id=annas)),
        (closed.orders.GetOrder, pb.GetOrderRequest(order_id=annas.upper())),
        (closed.orders.CancelOrder, pb.CancelOrderRequest(order_id=annas)),
        (closed.orders.ListOrderTimeline, pb.ListOrderTimelineRequest(order_id=annas)),
    ]
    for method, request in asked:
        with pytest.raises(grpc.RpcError) as refusal:
            method(request, metadata=metadata, timeout=10)
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    payments = PaymentServiceStub(closed.channel("payments"))
    listed = payments_pb2.ListPaymentsRequest(order_id=annas)
    assert not payments.ListPayments(listed, metadata=metadata, timeout=10).payments
    hers = saying(closed.bearer("customer", "anna"))
    [payment] = payments.ListPayments(listed, metadata=hers, timeout=10).payments
    named = payments_pb2.GetPaymentRequest(payment_id=payment.id)
    assert payments.GetPayment(named, metadata=hers, timeout=10).id == payment.id
    with pytest.raises(grpc.RpcError) as refusal:
        payments.GetPayment(named, metadata=metadata, timeout=10)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND


def test_lists_show_a_customer_their_own_alone(closed: Closed, annas: str) -> None:
    anna, ben = closed.bearer("customer", "anna"), closed.bearer("customer", "ben")
    assert annas in {order["id"] for order in closed.ask("GET", "/orders", anna).json()["data"]}
    assert {order["customer_id"] for order in closed.ask("GET", "/orders", anna).json()["data"]} == {"anna"}
    assert closed.ask("GET", "/orders", ben).json()["data"] == []
    assert closed.ask("GET", "/orders?customer_id=anna", ben).status_code == 403
    service = closed.bearer("service", "shop")
    assert annas in {order["id"] for order in closed.ask("GET", "/orders?customer_id=anna", service).json()["data"]}


def test_a_file_of_orders_shows_a_customer_their_own_alone(closed: Closed, annas: str) -> None:
    anna, ben = closed.bearer("customer", "anna"), closed.bearer("customer", "ben")
    assert annas in closed.ask("GET", "/orders.csv", anna).text
    assert len(closed.ask("GET", "/orders.csv", ben).text.splitlines()) == 1, "the head alone"
    assert closed.ask("GET", "/orders.csv?customer_id=anna", ben).status_code == 403


def test_those_who_read_at_one_time_see_their_own_alone(closed: Closed, annas: str) -> None:
    """They share a call to the service, and nothing else."""
    readers = ["anna", "ben"] * 20

    def read(name: str) -> int:
        return int(closed.ask("GET", f"/orders/{annas}", closed.bearer("customer", name)).status_code)

    with ThreadPoolExecutor(len(readers)) as pool:
        for _ in range(3):
            assert list(pool.map(read, readers)) == [200, 404] * 20


def test_who_places_for_whom(closed: Closed, sku: str) -> None:
    """Customers for themselves, services and operators for anybody; the timeline says who it was."""
    assert closed.ask("POST", "/orders", closed.bearer("customer", "ben"), an_order("anna", sku)).status_code == 403
    boss = closed.bearer("operator", "boss")
    for role, name in (("customer", "cleo"), ("service", "shop"), ("operator", "boss")):
        placed = closed.ask("POST", "/orders", closed.bearer(role, name), an_order("cleo", sku))
        assert placed.status_code in (201, 202), placed.text
        timeline = closed.ask("GET", f"/orders/{placed.json()['data']['id']}/timeline", boss).json()["data"]
        assert timeline[0]["actor"] == f"{role}:{name}"


def test_fifty_callers_in_a_batch_are_fifty_callers(closed: Closed, sku: str) -> None:
    run = uuid.uuid4().hex[:8]
    honest = [entry(f"c-{run}-{n}", run, sku, closed.bearer("customer", f"c-{run}-{n}")) for n in range(50)]
    thieves = [entry(f"c-{run}-{n}", f"{run}-t", sku, closed.bearer("customer", "thief")) for n in range(5)]
    forgers = [entry("c-1", run, sku, "Bearer a.b.c"), entry("c-1", run, sku, "Basic YTpi"), entry("c-1", run, sku)]
    request = pb.BatchCreateOrdersRequest(entries=[*honest, *thieves, *forgers])

    told = reasons(closed.orders.BatchCreateOrders(request, timeout=30))

    denied, unknown = grpc.StatusCode.PERMISSION_DENIED.value[0], grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert [told[index] for index in sorted(told)] == [0] * 50 + [denied] * 5 + [unknown] * 3


def test_customers_at_once_over_rest_stay_themselves(closed: Closed, sku: str) -> None:
    """Their orders travel in one batch through the gateway."""
    names = [f"together-{n}" for n in range(30)]
    tokens = {name: closed.bearer("customer", name) for name in names}

    def place(index: int) -> int:
        mine, theirs = names[index], names[(index + 1) % len(names)]
        whose = mine if index % 3 else theirs
        return closed.ask("POST", "/orders", tokens[mine], an_order(whose, sku)).status_code

    with ThreadPoolExecutor(len(names)) as pool:
        answers = list(pool.map(place, range(len(names))))

    assert [answer == 403 for answer in answers] == [index % 3 == 0 for index in range(len(names))]


def test_bad_tokens_are_refused_at_every_door(closed: Closed) -> None:
    signer, now = closed.signer, clock.unix_ms() / 1000
    good: dict[str, Any] = {
        "iss": signer.issuer, "aud": "order-system", "sub": "boss", "exp": now + 60,
        "realm_access": {"roles": ["operator"]},
    }  # fmt: skip
    kid = signer.public["kid"]

    def signed(header: dict[str, Any] | None = None, **changes: Any) -> str:
        return jwt.encode(good | changes, signer.key, "ES256", headers={"kid": kid} | (header or {}))

    bad = {
        "expired": signed(exp=now - 120),
        "not yet valid": signed(nbf=now + 600),
        "another audience": signed(aud="somebody-else"),
        "another issuer": signed(iss="http://127.0.0.1:1"),
        "an unknown key": signed({"kid": "no-such-key"}),
        "another algorithm": jwt.encode(good, "0" * 64, "HS256", headers={"kid": kid}),
        "no algorithm": unsigned({"alg": "none", "kid": kid}, good),
        "16 kB and more": signed(padding="x" * 20_000),
        "64 kB": "x" * 65_536,
    }
    assert closed.ask("GET", "/orders", f"Bearer {signed()}").status_code == 200
    for what, token in bad.items():
        assert closed.ask("GET", "/orders", f"Bearer {token}").status_code == 401, what
        with pytest.raises(grpc.RpcError) as refusal:
            closed.orders.ListOrders(pb.ListOrdersRequest(), metadata=saying(f"Bearer {token}"), timeout=10)
        assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED, what
    two = saying(f"Bearer {signed()}") + saying("Bearer x")
    with pytest.raises(grpc.RpcError) as refusal:
        closed.orders.ListOrders(pb.ListOrdersRequest(), metadata=two, timeout=10)
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_tokens_are_in_no_log(closed: Closed) -> None:
    """Told last: by now every door has seen good and bad ones."""
    for log in closed.stack.place.logs.glob("*.log"):
        text = log.read_text(errors="replace")
        assert "eyJ" not in text, f"{log.name} holds a token"
        assert closed.stack.environment["OIDC_CLIENT_SECRET"] not in text, f"{log.name} holds the secret"


def test_a_customer_has_one_limit_over_grpc_and_rest_and_each_request_counts_once(closed: Closed) -> None:
    """Counted twice on its way through the gateway, half as many would pass; apart from gRPC, twice as many."""
    authorization, boss = closed.bearer("customer", "busy"), closed.bearer("operator", "boss")
    request, metadata = pb.ListOrdersRequest(page_size=1), saying(authorization)
    began = clock.monotonic()
    calls = [closed.orders.ListOrders.future(request, metadata=metadata, timeout=PATIENCE) for _ in range(500)]
    assert [call.code() for call in calls] == [grpc.StatusCode.OK] * 500
    with httpx.Client(base_url=f"{closed.rest}/api/v1", headers={"authorization": authorization}) as client:
        answers = [client.get("/orders?page_size=1") for _ in range(600)]

    passed = [answer for answer in answers if answer.status_code == 200]
    came_back = int((clock.monotonic() - began) * 1_000 / 60) + 1
    assert 500 <= len(passed) <= 500 + came_back
    assert len(passed) + sum(answer.status_code == 429 for answer in answers) == 600
    assert closed.ask("GET", "/orders?page_size=1", boss).status_code == 200
