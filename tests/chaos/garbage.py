"""Messages that no service has told: bytes that are no event, types nobody knows, hollow ones, and true ones again."""

import random
from collections.abc import Sequence
from typing import Final

from chassis import ids
from chassis.producer import Producer, Record
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent
from tests.chaos.topics import Written

KEY: Final = "chaos-"
"""How the keys of made-up messages begin: what of them stays parked is no order's."""
TYPES: Final = {
    "orders.events": ("orders.events.v1.OrderPlaced", "orders.events.v1.OrderCompleted"),
    "inventory.events": ("inventory.events.v1.StockReserved", "inventory.events.v1.StockReleased"),
    "payments.requests": ("payments.events.v1.PaymentRequested", "payments.events.v1.PaymentVoidRequested"),
    "payments.events": ("payments.events.v1.PaymentCaptured", "payments.events.v1.PaymentDeclined"),
    "suppliers.requests": ("suppliers.events.v1.SupplierOrderRequested",),
    "suppliers.events": ("suppliers.events.v1.SupplierOrderDelivered", "suppliers.events.v1.SupplierOrderFailed"),
}
"""Types that are known on each topic."""


def garbage(chance: random.Random, topic: str) -> list[Record]:
    """A handful of what should never come, under keys of its own."""
    known = chance.choice(TYPES[topic])
    values = [
        chance.randbytes(chance.randint(1, 200)),
        b"",
        event("nobody.knows.v1.SuchAThing"),
        event(known.replace(".v1.", ".v9.")),
        event(known),
        event(known, chance.randbytes(20)),
        event(known, id_=str(chance.randrange(10**9))),
    ]
    return [Record(topic, f"{KEY}{ids.new_id()}", value) for value in values]


def event(type_: str, data: bytes = b"", id_: str = "") -> bytes:
    """An envelope around next to nothing."""
    made = CloudEvent(id=id_ or ids.new_id(), source="chaos", spec_version="1.0", type=type_)
    made.proto_data.type_url = f"type.googleapis.com/{type_}"
    made.proto_data.value = data
    return made.SerializeToString()


def duplicates(chance: random.Random, topic: str, records: Sequence[Written]) -> list[Record]:
    """True events once more, byte for byte, in any order."""
    true = [record for record in records if record.topic == topic and not record.key.startswith(KEY)]
    again = chance.sample(true, min(30, len(true)))
    return [Record(record.topic, record.key, record.value) for record in again]


def put(bootstrap_servers: str, records: Sequence[Record]) -> None:
    """Raises KafkaError when the broker is not there."""
    producer = Producer(bootstrap_servers, "chaos")
    try:
        producer.send_round(records)
    finally:
        producer.close()
