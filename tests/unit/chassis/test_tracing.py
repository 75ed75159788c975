"""Trace context: the caller's where it is one, else a new one."""

from chassis.tracing import (
    child_of,
    from_headers,
    is_sampled,
    is_traceparent,
    new_traceparent,
    onward,
    sampled,
    sampled_in,
    trace_id_of,
)

GIVEN = f"00-{'4b' * 16}-{'f0' * 8}-01"


def test_a_valid_traceparent_is_kept() -> None:
    assert from_headers(GIVEN, None) == GIVEN


def test_a_uuid_in_x_trace_id_becomes_the_trace() -> None:
    made = from_headers(None, "0190B6B2-1111-7000-8000-000000000001")

    assert trace_id_of(made) == "0190b6b2111170008000000000000001"
    assert is_traceparent(made)


def test_nonsense_gives_a_new_trace() -> None:
    for nonsense in (
        "",
        "00-zz",
        f"00-{'0' * 32}-{'1' * 16}-01",
        f"ff-{'4b' * 16}-{'f0' * 8}-01",
        GIVEN + "-x",
        GIVEN.upper(),
    ):
        made = from_headers(nonsense, "not a uuid")
        assert is_traceparent(made)
        assert made != nonsense


def test_a_child_stays_in_the_trace_with_a_span_of_its_own() -> None:
    child = child_of(GIVEN)

    assert trace_id_of(child) == trace_id_of(GIVEN)
    assert child != GIVEN
    assert is_traceparent(child)
    assert is_traceparent(child_of("nonsense"))
    assert new_traceparent() != new_traceparent()


def test_the_lowest_bit_of_its_flags_says_that_a_trace_is_sampled() -> None:
    assert is_sampled(GIVEN)
    assert is_sampled(child_of(GIVEN))
    assert is_sampled(sampled(new_traceparent()))
    for not_sampled in ("", new_traceparent(), GIVEN[:53] + "02", GIVEN[:54], "x" * 54 + "1"):
        assert not is_sampled(not_sampled)


def test_the_sampled_trace_of_an_envelope_is_found_without_opening_it() -> None:
    assert sampled_in(b"\x08\x01" + GIVEN.encode() + b"\x12") == GIVEN
    assert sampled_in(new_traceparent().encode()) == sampled_in(b"") == ""


def test_a_party_outside_is_told_the_span_that_asks_where_that_is_recorded() -> None:
    assert onward(GIVEN) == GIVEN
    assert onward(silent := new_traceparent()) != silent
    assert trace_id_of(onward(silent)) == trace_id_of(silent)
