"""The payment service as it is run: asked over Kafka, answering over Kafka, shown over gRPC."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from chassis.envelope import open_envelope, type_of
from deploy.local import Infrastructure
from protos.payments.events.v1 import events_pb2 as events
from protos.payments.v1 import payments_pb2 as pb
from protos.payments.v1.payments_pb2_grpc import PaymentServiceStub
from tests.services.payment_service.desk import an_order, payment_requested, sealed
from tests.waiting import until

_ROOT: Final = Path(__file__).parents[3]
_TOPICS: Final = ("payments.requests", "payments.events")


@pytest.fixture
def topics(infrastructure: Infrastructure) -> None:
    admin = KafkaAdminClient(bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    for name in _TOPICS:
        try:
            admin.create_topics([NewTopic(name=name, num_partitions=12, replication_factor=1)])
        except TopicAlreadyExistsError:
            continue
    admin.close()


@pytest.fixture
def service(infrastructure: Infrastructure, urls: dict[str, str], topics: None) -> Iterator[str]:
    """The address of a running payment service."""
    process = subprocess.Popen(
        [sys.executable, "-m", "payment_service"],
        cwd=_ROOT,
        env=os.environ | infrastructure.environment,
        stdout=subprocess.DEVNULL,
    )
    yield infrastructure.place.address("payments")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def _ask(infrastructure: Infrastructure, order: str) -> None:
    producer = KafkaProducer(bootstrap_servers=infrastructure.kafka_bootstrap_servers)
    producer.send("payments.requests", sealed(payment_requested(order)), key=order.encode()).get(10)
    producer.close()


def _heard(infrastructure: Infrastructure, order: str) -> events.PaymentCaptured | None:
    consumer = KafkaConsumer(
        "payments.events", bootstrap_servers=infrastructure.kafka_bootstrap_servers, auto_offset_reset="earliest"
    )
    types = {type_of(events.PaymentCaptured): events.PaymentCaptured}

    def captured() -> events.PaymentCaptured | None:
        for batch in consumer.poll(timeout_ms=500).values():
            for record in batch:
                if record.key == order.encode():
                    message = open_envelope(record.value, types).message
                    return message if isinstance(message, events.PaymentCaptured) else None
        return None

    found = until(captured, seconds=30)
    consumer.close()
    return found


def test_a_request_on_its_topic_is_answered_on_the_other_and_shown(
    infrastructure: Infrastructure, service: str
) -> None:
    order = an_order()
    _ask(infrastructure, order)

    captured = _heard(infrastructure, order)

    assert captured is not None
    with grpc.insecure_channel(service) as channel:
        stub = PaymentServiceStub(channel)
        [payment] = stub.ListPayments(pb.ListPaymentsRequest(order_id=order), timeout=5).payments
        assert payment == stub.GetPayment(pb.GetPaymentRequest(payment_id=captured.payment_id), timeout=5)
        nothing = stub.ListPayments(pb.ListPaymentsRequest(order_id=an_order()), timeout=5)
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetPayment(pb.GetPaymentRequest(payment_id=order), timeout=5)
    assert payment.status == pb.PAYMENT_STATUS_CAPTURED
    assert (payment.amount, payment.captured_amount, payment.refunded_amount) == ("5.10", "5.10", "0.00")
    assert [attempt.outcome for attempt in payment.attempts] == ["captured"]
    assert list(nothing.payments) == []
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
