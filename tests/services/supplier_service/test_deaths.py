"""A supplier service killed between any two steps: the goods are ordered once, and come once."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from chassis import clock, ids, inbox
from chassis.envelope import Outgoing, seal
from supplier_service.domain import Delivered
from tests.services.supplier_service.desk import TRACE, Desk, goods_requested
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


def _killed_at(failpoint: str, urls: dict[str, str], order: str, record: bytes, way: str) -> int:
    clerk = subprocess.Popen(
        [sys.executable, "-m", "tests.services.supplier_service.clerk", order, way],
        cwd=_ROOT,
        env=os.environ | {"FAILPOINT": f"{failpoint}=crash", "URLS": json.dumps(urls)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    clerk.communicate(record, timeout=60)
    return clerk.returncode


def test_whoever_dies_where_ever_the_goods_are_ordered_and_delivered_once(
    a_desk: Callable[..., Desk], urls: dict[str, str]
) -> None:
    records = {
        step: (order := ids.new_id(), seal(Outgoing("suppliers.requests", order, goods_requested(order), 1, TRACE),
                                           "orders", clock.now()))
        for step in _CHECK
    }  # fmt: skip
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


@pytest.mark.parametrize("step", ["suppliers.news.before_commit", "suppliers.news.before_save"])
def test_news_whose_taker_died_are_taken_when_they_come_again(
    a_desk: Callable[..., Desk], urls: dict[str, str], step: str
) -> None:
    order = ids.new_id()
    record = seal(Outgoing("suppliers.requests", order, goods_requested(order), 1, TRACE), "orders", clock.now())
    survivor = a_desk(check_seconds=60)
    assert _killed_at(step, urls, order, record, "news") == -signal.SIGKILL
    assert survivor.statuses(order) == {"85123A": "ACCEPTED"}

    assert survivor.news((survivor.reference(order), Delivered())) == [True]

    assert survivor.told(order) == ["Accepted", "Delivered"]
