"""The rules of the image hold, and each is seen to find what breaks it."""

import tomllib
from pathlib import Path

import pytest

from deploy.images.context import context_of
from deploy.images.recipe import DOCKERFILE, read_recipe
from deploy.images.rules import complaints, leftovers
from deploy.local.place import PROJECT

TEXT = DOCKERFILE.read_text()


def test_the_dockerfile_keeps_the_rules() -> None:
    assert complaints(read_recipe(TEXT)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("USER 65532:65532", "USER 65532:65532\nUSER root", "USER root must be two numbers that are not 0"),
        ("USER 65532:65532", "USER 65532:0", "USER 65532:0 must be two numbers that are not 0"),
        ("USER 65532:65532\n", "", "the image runs as root: it has no USER"),
        ("--requirement requirements.lock", "--requirement requirements.lock httpx", "installs what no lock gives"),
        ("install --require-hashes --requirement requirements-build", "install --requirement requirements-build",
         "installs what no lock gives"),
        ("install --no-index --no-deps", "install", "installs what no lock gives"),
        ("ca-certificates python3 \\", "ca-certificates python3 gcc \\", "gcc stays in the image"),
        ("ca-certificates python3 \\", "ca-certificates python3 python3-pip \\", "python3-pip stays in the image"),
        ("WORKDIR /\n", "RUN python3 -m ensurepip && pip install --require-hashes -r requirements.lock\n",
         "the image installs packages itself"),
        ("debian:bookworm-slim", "debian", "FROM debian: says no version"),
        ("debian:bookworm-slim", "debian:latest", "FROM debian:latest: says no version"),
        ("debian:bookworm-slim", "registry.example.com/debian:12", "registry.example.com names a host"),
        ("PIP_NO_INPUT=1", "PIP_INDEX_URL=https://packages.internal/simple", ":// names a host"),
        ("ARG REVISION=unknown", "ARG REVISION=unknown\nENV POSTGRES_PASSWORD=secret",
         "POSTGRES_PASSWORD would be in the image for everybody to read"),
        ("STOPSIGNAL SIGTERM\n", "", "the image has no STOPSIGNAL"),
        ("HEALTHCHECK --interval", "#HEALTHCHECK --interval", "the image has no HEALTHCHECK"),
        ('ENTRYPOINT ["python", "-m"]', "ENTRYPOINT python -m", "ENTRYPOINT goes through a shell"),
        ("org.opencontainers.image.revision", "revision", "no label org.opencontainers.image.revision"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(right: str, wrong: str, told: str) -> None:
    assert right in TEXT

    found = complaints(read_recipe(TEXT.replace(right, wrong)))

    assert any(told in sentence for sentence in found), found


def test_the_image_has_the_version_and_the_words_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    labels = {name: value for step in read_recipe(TEXT).image.all("LABEL") for name, value in step.pairs.items()}

    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.description"] == project["description"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]


def test_everything_that_is_copied_is_there_for_the_builder() -> None:
    context = context_of(PROJECT)
    copied = [step for stage in read_recipe(TEXT).stages for step in stage.all("COPY") if not step.option("from")]

    assert copied
    assert [name for step in copied for name in step.words[:-1] if not context.has(name)] == []


def test_the_wheel_is_made_of_what_is_copied() -> None:
    copied = {name for stage in read_recipe(TEXT).stages for step in stage.all("COPY") for name in step.words[:-1]}
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert set(wheel["only-include"]) - {"build/generated"} <= copied


@pytest.mark.parametrize(
    "left",
    [
        "usr/bin/gcc", "usr/bin/gcc-12", "usr/bin/make", "usr/bin/ld", "usr/local/bin/pip3", "opt/order-system/bin/pip",
        "usr/lib/python3/dist-packages/pip/x", "opt/order-system/lib/python3.11/site-packages/grpc_tools/x",
        "usr/lib/python3.11/ensurepip/x",
    ],
)  # fmt: skip
def test_what_builds_or_installs_is_found_in_a_root(tmp_path: Path, left: str) -> None:
    for innocent in ("usr/bin/python3", "usr/bin/passwd", "opt/order-system/lib/python3.11/site-packages/grpc/x", left):
        file = tmp_path / innocent
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    assert leftovers(tmp_path) == [left.removesuffix("/x")]
