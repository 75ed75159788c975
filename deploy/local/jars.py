"""Kafka's jars: fetched once through Maven's ordinary settings, and used only when their sums are the pinned ones."""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from deploy.local.refusals import CannotStart

if TYPE_CHECKING:
    from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("kafka-jars.lock")
DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Jar:
    """One locked jar: its Maven coordinate and the SHA-256 sum that it must have."""

    coordinate: str
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def locked_jars(lock: Path = LOCK) -> Sequence[Jar]:
    rows = (line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, sha256) for coordinate, sha256 in rows]


def kafka_jars(cache: Path, say: Callable[[str], None]) -> Sequence[Path]:
    """The class path, each file with its pinned sum. Raises CannotStart when one cannot be had."""
    folder, jars = cache / "kafka", locked_jars()
    folder.mkdir(parents=True, exist_ok=True)
    if missing_from(folder, jars):
        with only_one(cache / "kafka.lock"):
            fetch(missing_from(folder, jars), folder, say)
    return [folder / jar.file_name for jar in jars]


def missing_from(folder: Path, jars: Sequence[Jar]) -> Sequence[Jar]:
    return [jar for jar in jars if sum_of(folder / jar.file_name) != jar.sha256]


def sum_of(file: Path) -> str | None:
    if not file.exists():
        return None
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch(jars: Sequence[Jar], folder: Path, say: Callable[[str], None]) -> None:
    """Downloads into a folder of its own and moves in only what is whole and right."""
    if not jars:
        return
    say(f"fetching Kafka: {len(jars)} jars, once for this user ({folder})")
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch, ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        context = maven_context(Path(scratch))
        list(pool.map(lambda jar: fetch_one(context, jar, folder), jars))


def fetch_one(context: "MavenContext", jar: Jar, folder: Path) -> None:
    import requests

    try:
        found = Path(context.create_dependency(jar.coordinate).artifact.resolve())
    except (RuntimeError, requests.RequestException) as error:
        repositories = ", ".join(context.remote_repos.values())
        raise CannotStart(
            f"{jar.coordinate} could not be fetched from {repositories} ({shorten(str(error), 200)})."
            " Check the connection or the mirror in ~/.m2/settings.xml, or name a broker of your own:"
            " KAFKA_BOOTSTRAP_SERVERS=host:port."
        ) from error
    take_over(found, jar, folder)


def take_over(found: Path, jar: Jar, folder: Path) -> None:
    draft = folder / f"{jar.file_name}.draft"
    shutil.copyfile(found, draft)
    if sum_of(draft) != jar.sha256:
        draft.unlink()
        raise CannotStart(
            f"{found} has another SHA-256 sum than {LOCK.name} pins: the file or the repository that it came"
            " from is damaged or not to be trusted. Nothing was started with it."
        )
    draft.replace(folder / jar.file_name)


def maven_context(scratch: Path) -> "MavenContext":
    """Reads the machine's own Maven repository, adds nothing to it, and asks the repositories it is set up for."""
    from jgo.constants import MAVEN_CENTRAL_URL, default_maven_repo
    from jgo.maven import MavenContext

    mirror = central_mirror(Path.home() / ".m2" / "settings.xml")
    return MavenContext(
        repo_cache=scratch,
        local_repos=[default_maven_repo()],
        remote_repos={**further_repositories(), "central": mirror or MAVEN_CENTRAL_URL},
        timeout=30,
    )


def further_repositories() -> Mapping[str, str]:
    from jgo.config import GlobalSettings

    return dict(GlobalSettings.load().repositories)


def central_mirror(settings: Path) -> str | None:
    """The mirror that Maven's user settings name for the central repository."""
    if not settings.exists():
        return None
    for mirror in ElementTree.parse(settings).iterfind(".//{*}mirror"):
        if mirror.findtext("{*}mirrorOf") in ("*", "central", "external:*"):
            return (mirror.findtext("{*}url") or "").rstrip("/") or None
    return None


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Several stacks may start for the first time at once; one of them downloads."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
