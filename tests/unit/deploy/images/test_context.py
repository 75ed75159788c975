"""The builder is given what .dockerignore lets through, and nothing else."""

from pathlib import Path, PurePosixPath

import pytest

from deploy.images.context import Context, context_of
from deploy.local.place import PROJECT


@pytest.mark.parametrize(
    ("path", "is_out"),
    [
        ("chassis/run.py", False),
        ("deploy/images/Dockerfile", False),
        ("requirements.lock", False),
        (".env", True),
        (".git/config", True),
        (".local/passwords.json", True),
        (".venv/bin/python", True),
        ("build/generated/.stamp", True),
        ("tests/conftest.py", True),
        ("deploy/compose/.env", True),
        ("chassis/__pycache__/run.cpython-311.pyc", True),
    ],
)
def test_the_projects_rules_let_through_what_is_built_and_no_secret(path: str, is_out: bool) -> None:
    assert context_of(PROJECT).leaves_out(PurePosixPath(path)) is is_out


def test_the_last_rule_that_fits_counts() -> None:
    context = Context(Path(), ["*.md", "!README.md", "docs/**/draft-?.md"])

    assert context.leaves_out(PurePosixPath("NOTES.md"))
    assert not context.leaves_out(PurePosixPath("README.md"))
    assert not context.leaves_out(PurePosixPath("docs/NOTES.md"))
    assert context.leaves_out(PurePosixPath("docs/a/b/draft-1.md"))


def test_a_folder_is_copied_without_what_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "source" / "package"
    source.mkdir(parents=True)
    (source / "kept.py").touch()
    (source / "left.pyc").touch()

    Context(tmp_path / "source", ["**/*.pyc"]).copy("package", tmp_path / "target")

    assert [file.name for file in (tmp_path / "target").iterdir()] == ["kept.py"]


def test_what_is_kept_out_cannot_be_copied(tmp_path: Path) -> None:
    (tmp_path / ".env").touch()

    with pytest.raises(FileNotFoundError, match=r"\.env is not there, or \.dockerignore keeps it out"):
        Context(tmp_path, [".env"]).copy(".env", tmp_path / "target")
