"""Failpoints do what they are told, and nothing unless told."""

import pytest

from chassis.failpoints import FailpointReached, failpoint, parse


def test_unset_it_does_nothing() -> None:
    failpoint("orders.place.before_commit")


def test_each_kind_of_action_is_understood() -> None:
    actions = parse("a=crash, b=sleep:20, c=raise@2")

    assert (actions["a"].kind, actions["b"].milliseconds, actions["c"].at_pass) == ("crash", 20, 2)


@pytest.mark.parametrize("text", ["a", "a=explode", "a=sleep", "a=sleep:x", "a=crash:5"])
def test_nonsense_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="FAILPOINT"):
        parse(text)


def test_raise_raises_at_the_pass_that_was_named() -> None:
    action = parse("a=raise@2")["a"]

    action.take("a")
    with pytest.raises(FailpointReached):
        action.take("a")
    action.take("a")
