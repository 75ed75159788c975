"""The protos follow buf's rules, break nobody, and are built again exactly when something changed."""

import subprocess
from pathlib import Path

import pytest

from chassis.access.caller import Role
from chassis.access.policy import NOBODY_MAY, policy_of
from gateway.rest.descriptors import load_descriptors
from protos import breaking
from protos.breaking import breaking_since, last_release
from protos.compiler import PROJECT, CannotCompile
from protos.generate import generate
from protos.lint import lint

GREETING = """
syntax = "proto3";
package greetings.v1;

import "buf/validate/validate.proto";
import "google/api/annotations.proto";

// Greets.
service GreetingService {
  // Greets somebody.
  rpc Greet(GreetRequest) returns (GreetResponse) {
    option (google.api.http) = {get: "/v1/greetings/{name}"};
  }
}

// Whom to greet.
message GreetRequest {
  // The name.
  string name = 1 [(buf.validate.field).string.min_len = 1];
}

// The greeting.
message GreetResponse {
  // The words.
  string words = 1;
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one small service."""
    write(tmp_path, GREETING)
    return tmp_path


@pytest.fixture
def released(project: Path) -> tuple[Path, str]:
    """The same, with its first release."""
    author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    git(project, "init", "--quiet")
    git(project, "add", "protos")
    git(project, *author, "commit", "--quiet", "-m", "first")
    return project, git(project, "rev-parse", "HEAD")


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def write(project: Path, text: str) -> None:
    file = project / "protos" / "greetings" / "v1" / "greetings.proto"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_buf_has_no_complaints() -> None:
    assert lint(PROJECT) == []


def test_nothing_breaks_clients_of_the_last_release() -> None:
    assert breaking.main() == 0


def test_a_field_in_the_wrong_case_is_complained_of(project: Path) -> None:
    write(project, GREETING.replace("string words", "string theWords"))
    [complaint] = lint(project)
    assert "theWords" in complaint


def test_the_same_protos_break_nobody(released: tuple[Path, str]) -> None:
    assert breaking_since(*released) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("string words = 1;", "string words = 2;"),
        ("string words = 1;", "int32 words = 1;"),
        ("rpc Greet(", "rpc Welcome("),
    ],
)
def test_a_change_that_breaks_clients_is_complained_of(released: tuple[Path, str], before: str, after: str) -> None:
    write(released[0], GREETING.replace(before, after))
    assert breaking_since(*released)


def test_a_new_field_breaks_nobody(released: tuple[Path, str]) -> None:
    write(released[0], GREETING.replace("string words = 1;", "string words = 1;\n  // The tone.\n  string tone = 2;"))
    assert breaking_since(*released) == []


def test_a_history_that_lacks_the_release_is_said_to_lack_it(released: tuple[Path, str]) -> None:
    with pytest.raises(CannotCompile, match="git fetch --unshallow"):
        breaking_since(released[0], "0" * 40)


def test_the_newest_release_is_the_first_row(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    releases = tmp_path / "docs" / "releases.md"
    releases.write_text("| version | date | commit | what |\n|---|---|---|---|\n")
    assert last_release(tmp_path) is None
    releases.write_text(
        releases.read_text() + "| 1.1.0 | 2026-12-01 | `abcdef1` | more |\n| 1.0.0 | 2026-11-01 | `1234567` | all |\n"
    )
    assert last_release(tmp_path) == "abcdef1"


def test_protos_are_built_once_and_again_when_they_change(project: Path) -> None:
    assert generate(project)
    assert not generate(project)
    write(project, GREETING.replace("string words = 1;", "string words = 1;\n  string tone = 2;"))
    assert generate(project)
    assert "tone" in (project / "build/generated/protos/greetings/v1/greetings_pb2.pyi").read_text()


def test_what_was_deleted_is_built_again(project: Path) -> None:
    generate(project)
    (project / "build/generated/protos/greetings/v1/greetings_pb2.py").unlink()
    assert generate(project)


def test_code_of_a_proto_that_is_gone_goes_too(project: Path) -> None:
    generate(project)
    (project / "protos/greetings/v1/greetings.proto").rename(project / "protos/greetings/v1/welcome.proto")
    generate(project)
    built = {file.name for file in (project / "build/generated/protos/greetings/v1").glob("*_pb2.py")}
    assert built == {"welcome_pb2.py"}


def test_a_mistake_is_told_in_protocs_words(project: Path) -> None:
    write(project, GREETING.replace("string words", "strong words"))
    with pytest.raises(CannotCompile, match=r'greetings\.proto:\d+:\d+: "strong" is not defined'):
        generate(project)


def test_every_method_says_who_may_call_it() -> None:
    methods = [method for service in load_descriptors().services for method in service.methods]
    silent = [method.full_name for method in methods if policy_of(method) == NOBODY_MAY]

    assert not silent, f"refused to everybody while AUTH is on, for want of options.v1.access: {silent}"


def test_whoever_says_anyone_names_no_roles_and_operators_may_do_everything_else() -> None:
    for service in load_descriptors().services:
        for method in service.methods:
            policy = policy_of(method)
            assert policy.is_open != (Role.OPERATOR in policy.roles), method.full_name
