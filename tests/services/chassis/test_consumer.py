"""What the batch consumer makes of records: applied once, parked alone, retried in order."""

from datetime import timedelta
from itertools import count

import psycopg
import pytest

from chassis import clock, dead_letters, ids, inbox
from chassis.consumer import Folding
from chassis.database import Database, DatabaseAway, rows_of, run_sql
from protos.cloudevents.v1.cloudevents_pb2 import CloudEvent
from protos.payments.events.v1.events_pb2 import PaymentCaptured
from tests.services.chassis.ledger import HANDLERS, SCHEMA, Sum, Sums, captured, sealed, voided

_OFFSETS = count(1)
Ledger = Folding[dict[str, Sum]]


@pytest.fixture
def room() -> Sums:
    return Sums()


@pytest.fixture
def folding(database: Database, room: Sums) -> Ledger:
    database.write(lambda connection: run_sql(connection, SCHEMA))
    return Folding(database, "payments", "ledger", HANDLERS, room)


def _record(folding: Ledger, key: str, value: bytes):  # type: ignore[no-untyped-def]
    return folding.decode("t", 0, next(_OFFSETS), key.encode(), value)


def _sums(database: Database) -> dict[str, tuple[int, str]]:
    rows = database.read(lambda connection: rows_of(connection, "SELECT * FROM sums"))
    return {row.key: (row.amount, row.steps) for row in rows}


def _letters(database: Database) -> list[tuple[str, str, str]]:
    sql = "SELECT key, reason, error FROM dead_letters ORDER BY record_offset"
    return [(row.key, row.reason, row.error) for row in database.read(lambda connection: rows_of(connection, sql))]


def _fates(folding: Ledger) -> dict[str, float]:
    return {name: child._value.get() for name, child in folding.metrics._fates.items()}


def test_a_redelivered_event_changes_nothing(database: Database, folding: Ledger) -> None:
    value = sealed(captured("t", "a", 5))
    before = _fates(folding)

    folding.apply([_record(folding, "a", value), _record(folding, "a", value)])
    folding.apply([_record(folding, "a", value)])

    assert _sums(database) == {"a": (5, "c")}
    fates = {name: after - before[name] for name, after in _fates(folding).items()}
    assert (fates["applied"], fates["duplicate"], fates["parked"]) == (1, 2, 0)


def test_a_batch_that_is_applied_again_after_its_first_half_was_through_counts_each_event_once(
    database: Database, folding: Ledger, room: Sums
) -> None:
    """Rule (protocols: events in): received = applied + duplicate + ignored + parked."""
    poison, unknown = sealed(captured("t", "p", -1)), CloudEvent(id=ids.new_id(), type="a.v1.B", spec_version="1.0")
    unknown.source = "nobody"
    records = [
        _record(folding, "a", sealed(captured("t", "a", 1))),
        _record(folding, "b", sealed(captured("t", "b", 1))),
        _record(folding, "p", poison),
        _record(folding, "u", unknown.SerializeToString()),
    ]
    before = _fates(folding)

    room.away_after = 1
    with pytest.raises(DatabaseAway):
        folding.apply(records)
    folding.apply(records)

    fates = {name: after - before[name] for name, after in _fates(folding).items()}
    assert sum(fates.values()) == len(records)
    assert (fates["ignored"], fates["parked"]) == (1, 1)


def test_a_poison_event_is_parked_alone_and_its_neighbours_go_on(database: Database, folding: Ledger) -> None:
    keys = [f"k{number}" for number in range(9)]

    folding.apply([_record(folding, key, sealed(captured("t", key, -1 if key == "k4" else 1))) for key in keys])

    assert _sums(database) == {key: (1, "c") for key in keys if key != "k4"}
    assert _letters(database) == [("k4", "error", "ZeroDivisionError: poison")]


def test_later_events_of_a_parked_key_wait_behind_it_in_order(database: Database, folding: Ledger) -> None:
    folding.apply(
        [_record(folding, "a", sealed(voided("t", "a"))), _record(folding, "b", sealed(captured("t", "b", 1)))]
    )
    folding.apply([_record(folding, "a", sealed(captured("t", "a", 7)))])

    assert _sums(database) == {"b": (1, "c")}
    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "too_early"), ("a", "behind")]


def test_a_retry_that_succeeds_frees_the_key_and_those_behind_it(database: Database, folding: Ledger) -> None:
    folding.apply(
        [_record(folding, "a", sealed(voided("t", "a"))), _record(folding, "a", sealed(captured("t", "a", 9)))]
    )
    assert not folding.retry("t", "a")
    _apply_elsewhere(database, "a")

    while folding.retry("t", "a"):
        continue
    folding.apply([_record(folding, "a", sealed(captured("t", "a", 2)))])

    assert _letters(database) == []
    assert _sums(database) == {"a": (11, "cvcc")}


def _apply_elsewhere(database: Database, key: str) -> None:
    """What the parked fact waited for, come on another way."""
    sql = "INSERT INTO sums VALUES (:key, 3, 'c', 1)"
    database.write(lambda connection: run_sql(connection, sql, key=key))


def test_a_failed_retry_counts_and_names_the_next_try(database: Database, folding: Ledger) -> None:
    folding.apply([_record(folding, "a", sealed(voided("t", "a")))])

    folding.retry("t", "a")

    row = database.read(lambda connection: rows_of(connection, "SELECT *, now() AS now FROM dead_letters"))[0]
    assert row.attempts == 2
    assert row.next_try_at - row.now > timedelta(seconds=dead_letters.backoff_seconds(2) - 1)


def test_bytes_that_are_no_event_are_parked_and_kept(database: Database, folding: Ledger) -> None:
    folding.apply([_record(folding, "a", b"\xff\xfenonsense"), _record(folding, "b", sealed(captured("t", "b", 1)))])

    assert _sums(database) == {"b": (1, "c")}
    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "undecodable")]


def test_what_cannot_be_decoded_is_called_so_after_a_retry_as_well(database: Database, folding: Ledger) -> None:
    folding.apply([_record(folding, "a", b"\xff\xfenonsense")])

    assert not folding.retry("t", "a")

    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "undecodable")]


def test_an_unknown_type_is_ignored_but_an_unknown_major_version_is_parked(database: Database, folding: Ledger) -> None:
    def renamed(name: str) -> bytes:
        event = CloudEvent.FromString(sealed(captured("t", "a", 1)))
        event.type = name
        event.proto_data.type_url = f"type.googleapis.com/{name}"
        return event.SerializeToString()

    folding.apply([_record(folding, "a", renamed("payments.events.v1.SomethingNew"))])
    assert _letters(database) == []

    folding.apply([_record(folding, "a", renamed("payments.events.v2.PaymentCaptured"))])
    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "undecodable")]


def test_an_event_older_than_the_inbox_remembers_is_parked(database: Database, folding: Ledger) -> None:
    old_ms = clock.unix_ms() - 15 * 86_400_000
    event = CloudEvent.FromString(sealed(captured("t", "a", 1)))
    event.id = f"{old_ms >> 16:08x}-{old_ms & 0xFFFF:04x}{event.id[13:]}"

    folding.apply([_record(folding, "a", event.SerializeToString())])

    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "too_old")]


def test_an_event_that_is_too_old_is_applied_by_hand_alone(database: Database, folding: Ledger) -> None:
    """Nobody remembers whether it was applied before: tried again by itself, it might be applied a second time."""
    old_ms = clock.unix_ms() - 15 * 86_400_000
    event = CloudEvent.FromString(sealed(captured("t", "a", 1)))
    event.id = f"{old_ms >> 16:08x}-{old_ms & 0xFFFF:04x}{event.id[13:]}"
    folding.apply([_record(folding, "a", event.SerializeToString())])

    assert not folding.retry("t", "a")
    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "too_old")]
    assert _sums(database) == {}

    assert folding.retry("t", "a", by_hand=True)
    assert (_letters(database), _sums(database)) == ([], {"a": (1, "c")})


def _with(**changes: str) -> bytes:
    event = CloudEvent.FromString(sealed(captured("t", "a", 1)))
    for name, value in changes.items():
        setattr(event, name, value)
    return event.SerializeToString()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"\0nul", b"nonsense", "undecodable"),
        (b"\xff\xfe", b"nonsense", "undecodable"),
        ("ä".encode() * 5_000, b"nonsense", "undecodable"),
        (ids.new_id().encode() * 300, b"nonsense", "undecodable"),
        (None, b"", "undecodable"),
        (b"a", _with(id=ids.new_id()[:16] + "no-id"), "too_old"),
        (b"a", _with(id=ids.new_id().upper()), "too_old"),
        (b"a", _with(id="ffffffff-ffff-7fff-bfff-ffffffffffff"), "too_old"),
        (b"a", _with(type="payments.events.v1.Payment\0Captured"), None),
        (b"a", _with(type="payments.events.v2.PaymentCaptured"), "undecodable"),
        (b"a", sealed(captured("t", "a\0b", 1)), "error"),
    ],
)
def test_whatever_stands_in_a_record_it_stops_nobody(
    database: Database, folding: Ledger, key: bytes | None, value: bytes, reason: str | None
) -> None:
    """A letter that cannot be written is written never: its batch fails for ever, the partition stands still."""
    hostile = folding.decode("t", 0, next(_OFFSETS), key, value)

    folding.apply([hostile, _record(folding, "b", sealed(captured("t", "b", 1)))])

    assert _sums(database)["b"] == (1, "c")
    assert [letter[1] for letter in _letters(database)] == ([reason] if reason else [])
    assert not (reason and folding.retry("t", _letters(database)[0][0]))
    assert [letter[1] for letter in _letters(database)] == ([reason] if reason else [])


def test_long_keys_stay_apart_and_what_comes_later_waits_behind_its_own(database: Database, folding: Ledger) -> None:
    first, second = b"k" * 3_000 + b"1", b"k" * 3_000 + b"2"
    folding.apply([folding.decode("t", 0, next(_OFFSETS), first, b"nonsense")])

    folding.apply(
        [folding.decode("t", 0, next(_OFFSETS), key, sealed(captured("t", "a", 1))) for key in (first, second)]
    )

    assert [letter[1] for letter in _letters(database)] == ["undecodable", "behind"]
    assert _sums(database) == {"a": (1, "c")}


def test_a_fact_that_lacks_what_it_must_say_is_parked_and_not_read_as_nothing(
    database: Database, folding: Ledger
) -> None:
    event = CloudEvent.FromString(sealed(captured("t", "a", 1)))
    fact = PaymentCaptured.FromString(event.proto_data.value)
    fact.ClearField("started_at")
    event.proto_data.value = fact.SerializeToString()

    folding.apply([_record(folding, "a", event.SerializeToString())])

    assert _letters(database) == [("a", "undecodable", "payments.events.v1.PaymentCaptured lacks started_at")]


def test_the_day_of_a_claim_is_taken_from_the_id_not_from_the_arrival() -> None:
    """Redelivered after midnight, an event must meet its claim of yesterday."""
    yesterday_ms = clock.unix_ms() - 86_400_000
    id_ = f"{yesterday_ms >> 16:08x}-{yesterday_ms & 0xFFFF:04x}{ids.new_id()[13:]}"

    assert inbox.day_in_reach(id_) == clock.now().date() - timedelta(days=1)


def test_a_lost_compare_and_set_rolls_back_the_claims_and_is_applied_again(
    database: Database, folding: Ledger, room: Sums
) -> None:
    """Swallowed, the fact would count as applied though nobody wrote it."""
    room.loses = 2

    folding.apply([_record(folding, "a", sealed(captured("t", "a", 4)))])

    assert _sums(database) == {"a": (4, "c")}
    assert room.committed_batches == [1]


def test_the_trace_of_a_parked_event_is_in_its_letter(database: Database, folding: Ledger) -> None:
    folding.apply([_record(folding, "a", sealed(captured("t", "a", -1)))])

    sql = "SELECT traceparent FROM dead_letters"
    assert database.read(lambda connection: rows_of(connection, sql))[0].traceparent.startswith(f"00-{'a' * 32}")


def test_when_even_parking_fails_the_batch_is_kept_for_later(database: Database, folding: Ledger) -> None:
    """Parking for ever what cannot be parked would end in a recursion, not in a retry."""
    database.write(lambda connection: run_sql(connection, "ALTER TABLE dead_letters RENAME TO mislaid"))

    with pytest.raises(psycopg.Error):
        folding.apply([_record(folding, "a", sealed(captured("t", "a", -1)))])

    database.write(lambda connection: run_sql(connection, "ALTER TABLE mislaid RENAME TO dead_letters"))
    folding.apply([_record(folding, "a", sealed(captured("t", "a", -1)))])
    assert [(key, reason) for key, reason, _ in _letters(database)] == [("a", "error")]
