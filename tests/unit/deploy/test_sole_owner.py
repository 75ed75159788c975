"""One supervisor per state folder."""

import os
from pathlib import Path

import pytest

from deploy.local.refusals import AlreadyRunning
from deploy.local.sole_owner import SoleOwner


def test_a_folder_in_use_is_refused_to_others_until_it_is_released(tmp_path: Path) -> None:
    first, second = SoleOwner(tmp_path), SoleOwner(tmp_path)
    first.take()

    with pytest.raises(AlreadyRunning, match="make stop"):
        second.take()

    first.release()
    second.take()
    second.release()


def test_the_holder_is_known_by_its_process(tmp_path: Path) -> None:
    owner = SoleOwner(tmp_path)
    assert SoleOwner(tmp_path).holder() is None

    owner.take()
    assert SoleOwner(tmp_path).holder() == os.getpid()

    owner.release()
    assert SoleOwner(tmp_path).holder() is None
