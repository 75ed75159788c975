"""Kafka's jars are used only with their pinned sums."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.local.jars import Jar, central_mirror, locked_jars, missing_from, take_over
from deploy.local.refusals import CannotStart

CONTENT = b"the jar"


@pytest.fixture
def jar() -> Jar:
    return Jar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest())


def test_every_jar_of_the_lock_has_a_coordinate_and_a_sum() -> None:
    jars = locked_jars()

    assert "kafka_2.13-4.3.1.jar" in {jar.file_name for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)


def test_a_jar_with_its_sum_is_taken_over(tmp_path: Path, jar: Jar) -> None:
    (tmp_path / "found").write_bytes(CONTENT)
    cache = folder(tmp_path)

    take_over(tmp_path / "found", jar, cache)

    assert names(cache) == ["thing-1.0.jar"]
    assert missing_from(cache, [jar]) == []


def test_a_jar_with_another_sum_is_refused_and_not_kept(tmp_path: Path, jar: Jar) -> None:
    (tmp_path / "found").write_bytes(CONTENT + b" and more")
    cache = folder(tmp_path)

    with pytest.raises(CannotStart, match="SHA-256"):
        take_over(tmp_path / "found", jar, cache)

    assert names(cache) == []


def test_a_jar_that_was_changed_in_the_cache_counts_as_missing(tmp_path: Path, jar: Jar) -> None:
    (tmp_path / jar.file_name).write_bytes(b"tampered with")

    assert missing_from(tmp_path, [jar]) == [jar]


def test_the_mirror_of_mavens_own_settings_is_used(tmp_path: Path) -> None:
    settings = tmp_path / "settings.xml"
    settings.write_text(
        '<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors>'
        "<mirror><mirrorOf>other</mirrorOf><url>https://other.example/</url></mirror>"
        "<mirror><mirrorOf>central</mirrorOf><url>https://mirror.example/maven/</url></mirror>"
        "</mirrors></settings>"
    )

    assert central_mirror(settings) == "https://mirror.example/maven"
    assert central_mirror(tmp_path / "absent.xml") is None


def folder(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir()
    return cache


def names(cache: Path) -> Sequence[str]:
    return [file.name for file in cache.iterdir()]
