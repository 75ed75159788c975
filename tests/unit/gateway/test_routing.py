"""Paths and what answers them."""

import pytest

from gateway.rest.routing import Router


@pytest.fixture
def router() -> Router[str]:
    made: Router[str] = Router()
    for verb, path in (
        ("GET", "/orders"), ("POST", "/orders"), ("GET", "/orders/{order_id}"), ("GET", "/orders/export"),
        ("POST", "/orders/{id}/cancel"), ("GET", "/orders/export/csv"), ("GET", "/a/{x}/b/{y}"),
    ):  # fmt: skip
        made.add(verb, path, f"{verb} {path}")
    return made


def test_a_path_without_variables_is_found(router: Router[str]) -> None:
    match = router.match("/orders")

    assert match is not None
    assert match.endpoints == {"GET": "GET /orders", "POST": "POST /orders"}
    assert match.allow == "GET, HEAD, OPTIONS, POST"


def test_variables_are_decoded_and_named_by_their_own_path(router: Router[str]) -> None:
    match = router.match("/orders/a%2Fb%20%C3%A9")
    cancel = router.match("/orders/7/cancel")

    assert match is not None
    assert (match.template, match.variables) == ("/orders/{order_id}", {"order_id": "a/b é"})
    assert cancel is not None
    assert cancel.variables == {"id": "7"}


def test_a_literal_goes_before_a_variable(router: Router[str]) -> None:
    for path in ("/orders/export", "/orders/export/csv"):
        match = router.match(path)
        assert match is not None
        assert match.template == path


def test_a_literal_that_leads_nowhere_may_still_be_a_variable(router: Router[str]) -> None:
    match = router.match("/orders/export/cancel")

    assert match is not None
    assert match.variables == {"id": "export"}


def test_several_variables_keep_their_order(router: Router[str]) -> None:
    match = router.match("/a/1/b/2")

    assert match is not None
    assert match.variables == {"x": "1", "y": "2"}


@pytest.mark.parametrize(
    "path", ["", "/", "/orders/", "/orders//cancel", "/orders/7/cancel/", "/order", "/a/1/b", "//orders"]
)
def test_other_paths_lead_nowhere(router: Router[str], path: str) -> None:
    assert router.match(path) is None


def test_what_is_no_text_leads_nowhere(router: Router[str]) -> None:
    assert router.match("/orders/%ff") is None


def test_two_answers_to_one_call_are_a_mistake(router: Router[str]) -> None:
    with pytest.raises(ValueError, match="answered twice"):
        router.add("GET", "/orders/{order_id}", "again")
