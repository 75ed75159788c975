"""Ids sort by time and know their day."""

from itertools import pairwise

from chassis import clock
from chassis.ids import day_of, is_id, new_id, unix_ms_of


def test_each_id_is_greater_than_the_one_before() -> None:
    ids = [new_id() for _ in range(10_000)]

    assert all(earlier < later for earlier, later in pairwise(ids))


def test_an_id_knows_when_it_was_made() -> None:
    before = clock.unix_ms()
    made = new_id()

    assert before <= unix_ms_of(made) <= clock.unix_ms()
    assert day_of("01938d2b-7c00-7000-8000-000000000000").isoformat() == "2024-12-03"


def test_only_canonical_uuids_are_ids() -> None:
    assert is_id(new_id())
    assert not is_id(new_id().upper())
    assert not is_id("1 OR 1=1")
