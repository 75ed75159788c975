"""What the README tells a reader to type is what is run for every change."""

from tests.architecture.sources import PROJECT

COMMAND = "make test"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert COMMAND in (PROJECT / "README.md").read_text().splitlines()
    script = (PROJECT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in script
    assert f"\n{COMMAND} " in script


def test_ci_can_be_run() -> None:
    assert (PROJECT / ".ci" / "run").stat().st_mode & 0o111
