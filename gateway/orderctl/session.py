"""What every verb shares: the client, the form of the output, and how failures end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click

from gateway.client import CallFailed, Client
from gateway.orderctl.output import Output

_WRONG_CALLS: Final = frozenset({"validation_error", "unusable_file", "payload_too_large"})
"""Refusals that say: the call or the file itself makes no sense."""

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Session:
    """One run of `orderctl`."""

    output: Output = field(default_factory=Output)
    _client: Client | None = None

    @property
    def client(self) -> Client:
        """The services; connected to when they are first asked."""
        if self._client is None:
            try:
                self._client = Client.from_environment()
            except ValueError as error:
                raise click.UsageError("PORT_OFFSET must be a whole number.") from error
        return self._client

    def close(self) -> None:
        """Let go of the services."""
        if self._client is not None:
            self._client.close()


class Refused(click.ClickException):
    """Ends the run with a sentence on stderr: refused, unfinished, or a service that cannot be reached."""

    exit_code = 1


class Unusable(click.ClickException):
    """Ends the run with a sentence on stderr: the call or the file itself makes no sense."""

    exit_code = 2


class Verbs(click.Group):
    """A group of verbs, at whose edge a failed call becomes a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CallFailed as failed:
            raise (Unusable if failed.code in _WRONG_CALLS else Refused)(str(failed)) from failed
        except OSError as error:
            if error.filename is None:
                raise  # not about a file that was named; click knows what to do with a closed pipe
            raise Unusable(f"{error.filename}: {error.strerror}") from error


def with_output(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--output table|json` to a verb; the innermost one that is given holds."""

    def choose(ctx: click.Context, _: click.Parameter, form: str | None) -> None:
        if form is not None:
            _session(ctx).output.form = form

    option = click.option(
        "--output", type=click.Choice(["table", "json"]), expose_value=False, callback=choose, is_eager=True,
        help="How the answer is written (table).",
    )  # fmt: skip
    return option(verb)


def verb(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """A verb that is given the session first, and takes `--output`."""

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(_session(click.get_current_context()), *args, **kwargs)

    return with_output(update_wrapper(run, function))


def _session(ctx: click.Context) -> Session:
    root = ctx.find_root()
    if root.obj is None:
        root.obj = Session()
        root.call_on_close(root.obj.close)
    session: Session = root.obj
    return session
