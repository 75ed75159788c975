"""Where a stack stands: state folder and ports."""

from pathlib import Path

import pytest

from deploy.local.place import PORTS, PROJECT, Place, cache_folder, place_from
from deploy.local.refusals import CannotStart


def test_without_settings_a_stack_stands_in_the_checkout_on_the_documented_ports() -> None:
    place = place_from({})

    assert place.state == PROJECT / ".local"
    assert (place.port("rest"), place.port("orders"), place.port("gateway metrics")) == (8080, 50051, 9100)


def test_an_offset_moves_every_port() -> None:
    moved, unmoved = place_from({"PORT_OFFSET": "100"}), place_from({})

    assert {moved.port(name) - unmoved.port(name) for name in PORTS} == {100}


def test_a_state_folder_is_moved_by_its_setting(tmp_path: Path) -> None:
    assert place_from({"STATE_DIR": str(tmp_path / "a")}).state == tmp_path / "a"


@pytest.mark.parametrize("nonsense", ["-1", "many", "1.5", "60000", " "])
def test_an_offset_that_makes_no_sense_is_refused_by_name(nonsense: str) -> None:
    with pytest.raises(CannotStart, match="PORT_OFFSET"):
        place_from({"PORT_OFFSET": nonsense})


def test_a_place_remembers_the_offset_of_its_last_start(tmp_path: Path) -> None:
    Place(tmp_path, 300).remember_offset()

    assert Place(tmp_path, 0).as_last_started().port_offset == 300


def test_downloads_lie_in_the_users_cache_folder() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/elsewhere"}) == Path("/elsewhere/order-system")
    assert cache_folder({}) == Path.home() / ".cache" / "order-system"
