"""Every test that a promise is said to be proven by is there."""

import re

import pytest

from tests.architecture.sources import PROJECT

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
PROMISES = (PROJECT / "docs" / "guarantees.md").read_text()


@pytest.mark.parametrize("line", [line for line in PROMISES.splitlines() if line.startswith("| ")][1:])
def test_a_promise_names_tests_that_are_there(line: str) -> None:
    named = NAMED.findall(line)
    assert named
    for file, test in named:
        assert f"def {test}(" in (PROJECT / "tests" / file).read_text()
