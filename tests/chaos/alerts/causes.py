"""What makes alerts fire on the real system, and what makes it well again."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

from chassis import ids
from chassis.producer import Record
from deploy.local import Stack
from tests.chaos import garbage
from tests.chaos.topics import Topics
from tests.end_to_end.shop import Shop

_SLOW: Final = {"FAILPOINT": "inventory.consumer.before_apply=sleep:2000"}
_COPIES: Final = 40_000
"""Of one event: they change nothing, for it is known; a slow consumer needs minutes for them."""
_ROUND: Final = 2_000
_TOPIC: Final = "payments.requests"
_PLANTED: Final = "UPDATE inventory.stock SET on_hand = on_hand + 1 WHERE sku = :sku"
_MENDED: Final = "UPDATE inventory.stock SET on_hand = on_hand - 1 WHERE sku = :sku"


@dataclass(frozen=True)
class Cause:
    """An alert with the labels it has to have, and what causes it for as long as the context lasts."""

    alert: str
    told: str
    make: Callable[[Stack], AbstractContextManager[None]]
    labels: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def killed(stack: Stack) -> Iterator[None]:
    """A process dies of SIGKILL, and stays down."""
    stack.kill("supplier_service")
    stack.take_down("supplier_service")
    try:
        yield
    finally:
        stack.bring_up("supplier_service")


@contextmanager
def without_kafka(stack: Stack) -> Iterator[None]:
    """Kafka is away while an order is placed."""
    shop = Shop(stack)
    sku = shop.stock("outbox", 5)
    stack.take_down("kafka")
    shop.place_stubbornly([(sku, 1)])
    try:
        yield
    finally:
        stack.bring_up("kafka")


@contextmanager
def slow_consumer(stack: Stack) -> Iterator[None]:
    """Inventory needs two seconds for each batch, and tens of thousands of events wait for it."""
    shop = Shop(stack)
    order_id = shop.place_stubbornly([(shop.stock("lag", 5), 1)])
    shop.comes_to(order_id, "COMPLETED")
    servers = stack.infrastructure.kafka_bootstrap_servers
    told = [
        record for record in Topics(servers).read_on() if record.key == order_id and record.topic == "orders.events"
    ]
    copy = Record(told[0].topic, told[0].key, told[0].value)
    stack.take_down("inventory_service")
    for _ in range(_COPIES // _ROUND):
        garbage.put(servers, [copy] * _ROUND)
    stack.bring_up("inventory_service", _SLOW)
    try:
        yield
    finally:
        stack.take_down("inventory_service")
        stack.bring_up("inventory_service")


@contextmanager
def garbage_record(stack: Stack) -> Iterator[None]:
    """Bytes that are no event stand on a topic; later an operator discards what became of them."""
    key = f"{garbage.KEY}{ids.new_id()}"
    garbage.put(stack.infrastructure.kafka_bootstrap_servers, [Record(_TOPIC, key, b"no event at all")])
    try:
        yield
    finally:
        discard(stack, "payments", _TOPIC)


@contextmanager
def planted_piece(stack: Stack) -> Iterator[None]:
    """A balance is changed by SQL, with no movement that says why."""
    sku = Shop(stack).stock("planted", 5)
    with owners_connection(stack) as connection:
        connection.execute(text(_PLANTED), {"sku": sku})
    try:
        yield
    finally:
        with owners_connection(stack) as connection:
            connection.execute(text(_MENDED), {"sku": sku})


@contextmanager
def owners_connection(stack: Stack) -> Iterator[Connection]:
    """A transaction of the owner's, who may do what the service may not."""
    database = make_url(stack.environment["INVENTORY_DATABASE_URL"]).database
    owner = make_url(stack.infrastructure.database_url).set(drivername="postgresql+psycopg", database=database)
    engine = create_engine(owner)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def discard(stack: Stack, context: str, topic: str) -> None:
    """What waits aside of a topic is gone for good, as the runbook says."""
    orderctl = Path(sys.executable).with_name("orderctl")
    words = ["dead-letters", "discard", "--service", context, "--topic", topic, "--reason", "it is no event"]
    environment = {**os.environ, **stack.environment}
    done = subprocess.run([orderctl, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


CAUSES: Final = (
    Cause("StockDifference", "a balance of stock changed by SQL", planted_piece),
    Cause("ServiceDown", "the supplier service killed, and kept down", killed, {"job": "suppliers"}),
    Cause("DeadLetters", "a record that is no event", garbage_record, {"context": "payments"}),
    Cause("OutboxAge", "Kafka taken away while an order is placed", without_kafka, {"context": "orders"}),
    Cause(
        "ConsumerLag", f"{_COPIES:,} events for a consumer that takes 2 s a batch", slow_consumer,
        {"context": "inventory"},
    ),
)  # fmt: skip
