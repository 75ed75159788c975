"""A folder as the root of a small machine: made by debootstrap, entered by chroot, in mounts that nobody else sees."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from deploy.local.place import cache_folder

_ENTER: Final = Path(__file__).with_name("enter.sh")
_NEEDED: Final = ("debootstrap", "unshare", "chroot", "mount", "setpriv")
_SUITE: Final = "bookworm"
_TO_REGISTRIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
"""How this machine reaches its package indexes; a container engine hands the same on to the steps of a build."""
_AUTHORITIES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_AUTHORITIES_INSIDE: Final = "/run/authorities.crt"
"""Not in the place of the image's own: the package that brings those could not put them there."""
_RESOLVER: Final = Path("/etc/resolv.conf")


class StepFailed(Exception):
    """A step did not do what it should; the text is for whoever runs this."""


@dataclass(frozen=True)
class Root:
    """One such folder."""

    folder: Path

    def build(self, command: Sequence[str], told: Mapping[str, str], directory: str, mounts: Mapping[str, str]) -> None:
        """A step of a build, as root, to its end. Raises StepFailed with its last words."""
        shown = {_AUTHORITIES: _AUTHORITIES_INSIDE, _RESOLVER: str(_RESOLVER)}
        shared = {str(file): target for file, target in shown.items() if file.exists()}
        entered = self._entered("build", "0:0", command, directory, {**shared, **mounts})
        done = subprocess.run(
            entered, env={**ways_out(os.environ), **told}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise StepFailed(f"exit code {done.returncode}:\n{last_lines(done.stdout)}")

    def start(
        self, command: Sequence[str], told: Mapping[str, str], user: str, directory: str, output: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        """A process as the image runs it: as its user, without rights, on a root that it cannot write."""
        entered = self._entered("run", user, command, directory, {})
        return subprocess.Popen(
            entered, env=dict(told), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )

    def _entered(
        self, mode: str, user: str, command: Sequence[str], directory: str, mounts: Mapping[str, str]
    ) -> list[str]:
        paired = " ".join(f"{source}={target}" for source, target in mounts.items())
        return [
            "unshare", "--mount", "--propagation=private", "/bin/sh", str(_ENTER),
            str(self.folder), mode, user, directory, paired, "--", *command,
        ]  # fmt: skip


def missing_tools() -> Sequence[str]:
    """What must be installed before a root can be made."""
    return [tool for tool in _NEEDED if shutil.which(tool) is None]


def ways_out(environment: Mapping[str, str]) -> dict[str, str]:
    """How the package indexes are reached from here, and whom we believe there."""
    known = {name: value for name, value in environment.items() if name.upper() in _TO_REGISTRIES}
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **known} | (
        {"PIP_CERT": _AUTHORITIES_INSIDE, "DEBIAN_FRONTEND": "noninteractive"} if _AUTHORITIES.exists() else {}
    )


def bare_root(mirror: str) -> Path:
    """What debootstrap makes, made once and kept. Raises StepFailed."""
    kept = cache_folder() / "images" / _SUITE
    if not kept.exists():
        draft = kept.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        command = ["debootstrap", "--variant=minbase", _SUITE, str(draft), *([mirror] if mirror else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StepFailed(f"debootstrap ended with {done.returncode}:\n{last_lines(done.stdout + done.stderr)}")
        draft.rename(kept)
    return kept


def copy_root(source: Path, target: Path) -> Root:
    """A root of its own, with owners, links and rights."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(source), str(target)], check=True)
    return Root(target)


def last_lines(text: str, lines: int = 15) -> str:
    """The end of what a command said."""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
