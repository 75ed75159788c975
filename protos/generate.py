"""`python -m protos.generate`: builds code and descriptors of all protos into build/generated, if anything changed."""

import fcntl
import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from protos.compiler import PROJECT, VALIDATE, CannotCompile, compile_protos, proto_files

TOOLS = ("grpcio-tools", "protovalidate", "googleapis-common-protos", "mypy-protobuf")
STAMP = ".stamp"
DESCRIPTORS = Path("protos", "descriptors.binpb")


def main() -> int:
    begun = monotonic()
    try:
        built = generate()
    except CannotCompile as error:
        print(error, file=sys.stderr)
        return 1
    print(f"protos: {built} files built in {monotonic() - begun:.1f} s" if built else "protos: up to date")
    return 0


def generate(root: Path = PROJECT) -> int:
    """How many files were written; 0 when all of them were up to date. Raises CannotCompile."""
    target = root / "build" / "generated"
    digest = digest_of(root)
    if is_built(target, digest):
        return 0
    target.mkdir(parents=True, exist_ok=True)
    with only_one(target.parent / "generate.lock"), TemporaryDirectory(dir=target.parent) as scratch:
        if is_built(target, digest):
            return 0
        compile_protos(root, [*proto_files(root), VALIDATE], output_options(Path(scratch)))
        files = take_over(Path(scratch), target)
        (target / STAMP).write_text("\n".join([digest, *files]))
    return len(files)


def digest_of(root: Path) -> str:
    """Of everything that the result depends on: the protos, this recipe, the tools."""
    digest = hashlib.sha256()
    recipe = [Path(__file__), Path(__file__).with_name("compiler.py")]
    for path in [*(root / name for name in proto_files(root)), *recipe]:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    for tool in TOOLS:
        digest.update(f"{tool} {version_of(tool)}\n".encode())
    return digest.hexdigest()


def version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def is_built(target: Path, digest: str) -> bool:
    stamp = target / STAMP
    if not stamp.exists():
        return False
    built, *files = stamp.read_text().splitlines()
    return built == digest and all((target / name).exists() for name in files)


def output_options(target: Path) -> Sequence[str]:
    """Typed gRPC stubs only where mypy-protobuf is installed: the type checker reads them, the services do not.

    The descriptors go out with their comments, which the gateway's OpenAPI document repeats.
    """
    plugin = shutil.which("protoc-gen-mypy_grpc", path=str(Path(sys.executable).parent))
    typed = [f"--plugin=protoc-gen-mypy_grpc={plugin}", f"--mypy_grpc_out={target}"] if plugin else []
    return [f"--python_out={target}", f"--pyi_out={target}", f"--grpc_python_out={target}", *typed, *described(target)]


def described(target: Path) -> Sequence[str]:
    """One descriptor set of everything, with the comments that the generated code leaves out: the gateway's OpenAPI."""
    (target / DESCRIPTORS).parent.mkdir(parents=True)
    return [f"--descriptor_set_out={target / DESCRIPTORS}", "--include_source_info"]


def take_over(scratch: Path, target: Path) -> Sequence[str]:
    """File by file, so that a process that imports meanwhile finds either the old one or the new one."""
    files = sorted(path.relative_to(scratch).as_posix() for path in scratch.rglob("*") if path.is_file())
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (scratch / name).replace(target / name)
    for path in target.rglob("*_pb2*.py*"):
        if "__pycache__" not in path.parts and path.relative_to(target).as_posix() not in files:
            path.unlink()
    return files


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """The Makefile, the tests and a service may ask at once; one builds, the others wait for it."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
