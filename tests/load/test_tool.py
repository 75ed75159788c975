"""k6 is found, or it is said what keeps it from being there."""

from pathlib import Path

import pytest

from tests.load.tool import SUM, VERSION, NoLoadClient, find_k6

OTHER_SUM = "h1:AAAA="


def environment(folder: Path, go: str = "") -> dict[str, str]:
    """A user with nothing in the cache and, unless there is a `go` for them, nothing on the PATH."""
    programs = folder / "bin"
    programs.mkdir()
    if go:
        (programs / "go").write_text(go)
        (programs / "go").chmod(0o755)
    return {"XDG_CACHE_HOME": str(folder / "cache"), "PATH": f"{programs}:/usr/bin:/bin" if go else str(programs)}


def a_go(told_sum: str = SUM, does: str = 'echo k6 > "$GOBIN/k6"') -> str:
    """Plays `go install` and `go version -m`."""
    told = f'printf "k6: go1.25\\n\\tmod\\tgo.k6.io/k6\\t{VERSION}\\t{told_sum}\\n"'
    return f'#!/bin/sh\nif [ "$1" = install ]; then {does}; else {told}; fi\n'


def test_without_go_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoLoadClient, match="no `go` on the PATH"):
        find_k6(print, environment(tmp_path))


def test_it_is_built_once(tmp_path: Path) -> None:
    said: list[str] = []
    user = environment(tmp_path, a_go())

    first, second = find_k6(said.append, user), find_k6(said.append, user)

    assert first == second
    assert first.read_text() == "k6\n"
    assert len(said) == 1


def test_a_source_with_another_sum_is_not_used(tmp_path: Path) -> None:
    user = environment(tmp_path, a_go(OTHER_SUM))

    with pytest.raises(NoLoadClient, match="another sum"):
        find_k6(print, user)
    assert not list(tmp_path.glob(f"cache/order-system/k6-{VERSION}/k6"))


def test_a_build_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(NoLoadClient, match="no such host"):
        find_k6(print, environment(tmp_path, a_go(does="echo no such host >&2; exit 1")))


def test_a_build_is_given_no_more_than_its_time(tmp_path: Path) -> None:
    with pytest.raises(NoLoadClient, match="was not done after"):
        find_k6(print, environment(tmp_path, a_go(does="exec sleep 30")), seconds=0.2)


def test_a_program_of_ones_own_is_taken(tmp_path: Path) -> None:
    assert find_k6(print, {"K6": "/bin/sh"}) == Path("/bin/sh")
    with pytest.raises(NoLoadClient, match="K6=/nowhere/k6"):
        find_k6(print, {"K6": "/nowhere/k6"})
