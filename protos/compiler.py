"""How protoc is called: where the imports of our protos come from, and what to do when it refuses."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

PROJECT = Path(__file__).resolve().parents[1]
VALIDATE = "buf/validate/validate.proto"


class CannotCompile(Exception):
    """protoc refused, or is not installed; the text is for whoever called."""


def proto_files(root: Path) -> Sequence[str]:
    """The project's own protos below `root`, as they import each other."""
    return sorted(path.relative_to(root).as_posix() for path in (root / "protos").rglob("*.proto"))


def compile_protos(root: Path, files: Sequence[str], options: Sequence[str]) -> None:
    """Runs protoc in `root`. Raises CannotCompile with protoc's own words."""
    with TemporaryDirectory() as scratch:
        validate = Path(scratch, "validate.binpb")
        validate.write_bytes(validate_descriptor())
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={validate}"]
        paths = [f"-I{path}" for path in (".", *import_paths())]
        done = subprocess.run([*command, *paths, *options, *files], cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotCompile(done.stderr.strip() or f"protoc ended with {done.returncode}")


def compile_image(root: Path, target: Path) -> Path:
    """All protos below `root` and what they import, in the one file that buf reads. Raises CannotCompile."""
    described = [f"--descriptor_set_out={target}", "--include_imports", "--include_source_info"]
    compile_protos(root, proto_files(root), described)
    return target


def validate_descriptor() -> bytes:
    """protovalidate ships the descriptor of its rules, but not their .proto file."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from protovalidate._gen.buf.validate import validate_pb

    descriptors = FileDescriptorSet()
    descriptors.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return descriptors.SerializeToString()


def import_paths() -> Sequence[Path]:
    """The folders that hold google/api and google/protobuf."""
    return folder_of("google.api").parent.parent, folder_of("grpc_tools") / "_proto"


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise CannotCompile(f"{package} is not installed: pip install -r requirements-local.lock")
    return Path(next(iter(spec.submodule_search_locations)))
