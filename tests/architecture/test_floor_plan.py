"""Every file has its place: services have the same rooms under the same names, and nothing built is committed."""

import subprocess

import pytest

from tests.architecture.floor_plan import all_misplaced, misplaced
from tests.architecture.machine_paths import machine_paths
from tests.architecture.sources import PROJECT


@pytest.fixture(scope="module")
def committed() -> list[str]:
    listing = ["git", "ls-files", "--cached", "-z"]
    done = subprocess.run(listing, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("these files did not come by git, so there is nothing committed to look at")
    return [name for name in done.stdout.split("\0") if name and (PROJECT / name).is_file()]


def test_every_file_has_its_place(committed: list[str]) -> None:
    complaints = list(all_misplaced(iter(committed)))
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    "path",
    [
        "order_service/services.py",
        "order_service/imports/views.py",
        "inventory_service/feed.py",
        "inventory_service/simulator/http.py",
        "scripts/load.sh",
        "notes.txt",
        "tests/misc/test_all.py",
        "chassis/utils.py",
        "gateway/rest/base_route.py",
        "gateway/live/channel_manager.py",
        "protos/orders/v1/orders_pb2.py",
        "protos/orders/v1/orders_pb2_grpc.pyi",
        "build/generated/.stamp",
    ],
)
def test_a_file_outside_of_the_plan_is_refused(path: str) -> None:
    assert misplaced(path)


@pytest.mark.parametrize(
    "path",
    [
        "order_service/domain.py",
        "order_service/domain/order.py",
        "order_service/imports/adapters/csv_file.py",
        "order_service/migrations/0001_create_chassis_tables.py",
        "order_service/feed.py",
        "payment_service/simulator/journal.py",
        "protos/orders/v1/orders.proto",
        "tests/unit/chassis/test_money.py",
        "tests/waiting.py",
    ],
)
def test_a_file_of_the_plan_passes(path: str) -> None:
    assert misplaced(path) is None


def test_no_file_names_a_place_on_some_machine(committed: list[str]) -> None:
    texts = ((name, (PROJECT / name).read_text(errors="replace")) for name in committed)
    complaints = [f"{name}: {path}" for name, text in texts for path in machine_paths(text)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize("folder", ["root", "work", "home", "Users", "tmp"])
def test_a_path_of_a_machine_is_found(folder: str) -> None:
    assert machine_paths(f"see '/{folder}/somebody/notes.md'") == [f"/{folder}/somebody/notes.md"]
    assert machine_paths(f"a /{folder}, and https://example.org/{folder}/page and v1/{folder}/x") == []
