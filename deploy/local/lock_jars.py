"""Writes kafka-jars.lock anew: `python -m deploy.local.lock_jars`, after a change of KAFKA below."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local.jars import LOCK, maven_context, sum_of

if TYPE_CHECKING:
    from jgo.maven import Dependency

KAFKA = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")
HEADER = "# Apache Kafka and what it needs: Maven coordinate and SHA-256 sum. Written by deploy/local/lock_jars.py."


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        context = maven_context(Path(scratch))
        wanted = [context.create_dependency(coordinate) for coordinate in KAFKA]
        inputs, transitive = context.resolver.resolve(wanted)
        rows = sorted(row_of(dependency) for dependency in [*inputs, *transitive])
    LOCK.write_text("\n".join([HEADER, *rows]) + "\n")


def row_of(dependency: "Dependency") -> str:
    coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
    return f"{coordinate} {sum_of(Path(dependency.artifact.resolve()))}"


if __name__ == "__main__":
    main()
