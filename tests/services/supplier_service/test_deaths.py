"""A supplier service killed between any two steps: the goods are ordered once, and come once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from chassis import clock, ids, inbox
from chassis.envelope import Outgoing, seal
from deploy.local import Infrastructure
from supplier_service.domain import Delivered
from supplier_service.simulator.journal import SCHEMA
from tests.services.supplier_service.desk import TRACE, Desk, goods_requested
from tests.services.supplier_service.served import served_suppliers
from tests.waiting import until

_ROOT: Final = Path(__file__).parents[3]
_CHECK: Final = [
    "suppliers.suppliers.before_save",
    "suppliers.save.after_rows",
    "suppliers.save.after_calls",
    "suppliers.suppliers.before_commit",
    "suppliers.suppliers.after_commit",
    "suppliers.calls.before_call",
    "suppliers.call.before",
    "suppliers_simulator.after_commit",
    "suppliers.call.after",
    "suppliers.record.before_commit",
    "suppliers.calls.before_record_commit",
    "suppliers.record.after_commit",
]
_AROUND_A_CALL: Final = [
    "suppliers.calls.before_call",
    "suppliers.call.after",
    "suppliers.record.before_commit",
    "suppliers.record.after_commit",
]


def _killed_at(
    failpoint: str, urls: dict[str, str], order: str, record: bytes, way: str, supplier_url: str = ""
) -> int:
    clerk = subprocess.Popen(
        [sys.executable, "-m", "tests.services.supplier_service.clerk", order, way],
        cwd=_ROOT,
        env=os.environ | {"FAILPOINT": f"{failpoint}=crash", "URLS": json.dumps(urls), "SUPPLIER_URL": supplier_url},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    clerk.communicate(record, timeout=60)
    return clerk.returncode


def _request_for(order: str) -> bytes:
    return seal(Outgoing("suppliers.requests", order, goods_requested(order), 1, TRACE), "orders", clock.now())


def test_whoever_dies_where_ever_the_goods_are_ordered_and_delivered_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    records = {step: (order := ids.new_id(), _request_for(order)) for step in _CHECK}
    a_desk(is_open=False).database.write(inbox.renew_partitions)
    assert {step: _killed_at(step, urls, *records[step], "check") for step in _CHECK} == dict.fromkeys(
        _CHECK, -signal.SIGKILL
    )

    survivor = a_desk()
    survivor.hear_again([record for _, record in records.values()])

    assert until(lambda: survivor.open_calls() == 0)
    told = {step: survivor.told(order) for step, (order, _) in records.items()}
    assert told == {step: ["Accepted", "Delivered"] for step in _CHECK}
    assert {entry[0] for entry in survivor.entries()} == {"delivered"}
    assert len(survivor.entries()) == len(_CHECK)


def test_whoever_dies_around_a_call_over_http_the_goods_are_ordered_and_delivered_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    orders = {step: ids.new_id() for step in _AROUND_A_CALL}
    a_desk(is_open=False).database.write(inbox.renew_partitions)
    with served_suppliers(urls[SCHEMA]) as suppliers:
        for step, order in orders.items():
            assert _killed_at(step, urls, order, _request_for(order), "check", suppliers.url) == -signal.SIGKILL

        survivor = a_desk(address=suppliers.url)

        assert until(lambda: survivor.open_calls() == 0, seconds=30)
    assert {step: survivor.told(order) for step, order in orders.items()} == {
        step: ["Accepted", "Delivered"] for step in _AROUND_A_CALL
    }
    assert [entry[0] for entry in survivor.entries()] == ["delivered"] * len(_AROUND_A_CALL)


def test_suppliers_who_die_after_taking_an_order_on_and_before_saying_so_deliver_once(
    a_desk: Callable[..., Desk], infrastructure: Infrastructure
) -> None:
    address, order = infrastructure.place.address("suppliers simulator"), ids.new_id()
    desk = a_desk(address=f"http://{address}")
    with _suppliers(infrastructure, "suppliers_simulator.after_commit=crash") as dying:
        desk.hear(goods_requested(order))
        assert dying.wait(60) == -signal.SIGKILL
    assert desk.entries() == [("accepted", 1, 0)]

    with _suppliers(infrastructure) as living:
        assert until(lambda: desk.statuses(order) == {"85123A": "DELIVERED"}, seconds=60)
        living.send_signal(signal.SIGTERM)
        assert living.wait(30) == 0
    assert [name for name in desk.told(order) if name != "Unreachable"] == ["Accepted", "Delivered"]
    assert desk.entries() == [("delivered", 2, 1)]


@contextmanager
def _suppliers(infrastructure: Infrastructure, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "supplier_service.simulator"],
        cwd=_ROOT,
        env=os.environ | infrastructure.environment | {"FAILPOINT": failpoint},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


@pytest.mark.parametrize("step", ["suppliers.news.before_commit", "suppliers.news.before_save"])
def test_news_whose_taker_died_are_taken_when_they_come_again(
    a_desk: Callable[..., Desk], urls: dict[str, str], step: str
) -> None:
    order = ids.new_id()
    record = _request_for(order)
    survivor = a_desk(check_seconds=60)
    assert _killed_at(step, urls, order, record, "news") == -signal.SIGKILL
    assert survivor.statuses(order) == {"85123A": "ACCEPTED"}

    assert survivor.news((survivor.reference(order), Delivered())) == [True]

    assert survivor.told(order) == ["Accepted", "Delivered"]
