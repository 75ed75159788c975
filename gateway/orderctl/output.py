"""How answers are written: as tables for people, as the JSON of the REST face for programs; progress on stderr."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from gateway.rest.encoding import Writers, dump

_WIDE: Final = 2_000
"""Columns of an output that is no terminal: nothing is cut."""


@dataclass
class Output:
    """Writes answers in the form that was asked for."""

    form: str = "table"

    @property
    def is_json(self) -> bool:
        """Whether a program reads along."""
        return self.form == "json"

    def rows(self, messages: Sequence[Message], columns: Sequence[str], **meta: Any) -> None:
        """A list: one row a message, the named fields as columns."""
        documents = documents_of(messages)
        if self.is_json:
            self.json({"data": documents, "meta": meta} if meta else {"data": documents})
            return
        table = Table(*[column.replace("_", " ") for column in columns], box=None, pad_edge=False, header_style="bold")
        for document in documents:
            table.add_row(*(_cell(document[column]) for column in columns))
        self._print(table)

    def one(self, message: Message, fields: Sequence[str] = ()) -> None:
        """One thing: a line for each field that has a value."""
        document = documents_of([message])[0]
        if self.is_json:
            self.json({"data": document})
            return
        chosen = {name: document[name] for name in fields or document}
        self.pairs({name: value for name, value in chosen.items() if value not in (None, "", [], {})})

    def pairs(self, pairs: dict[str, Any]) -> None:
        """Names and values, one a line."""
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(style="bold")
        table.add_column()
        for name, value in pairs.items():
            table.add_row(name.replace("_", " "), _cell(value))
        self._print(table)

    def json(self, document: Any) -> None:
        """A document for a program."""
        click.echo(dump(document))

    def say(self, sentence: str) -> None:
        """A line for people; programs are not disturbed."""
        if not self.is_json:
            click.echo(sentence)

    def progress(self, *columns: ProgressColumn) -> Progress:
        """A bar on stderr while something takes long; nothing where stderr is no terminal."""
        console = Console(stderr=True)
        description = TextColumn("{task.description}")
        shown = (description, BarColumn(), *columns, TimeElapsedColumn())
        return Progress(*shown, console=console, disable=not console.is_terminal, transient=True)

    def _print(self, table: Table) -> None:
        console = Console()
        if console.is_terminal:
            console.print(table)
            return
        console.width = _WIDE
        with console.capture() as captured:
            console.print(table)
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def documents_of(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages as the REST face shows them."""
    writers = Writers()
    return [writers.of_message(message) for message in messages]


def _cell(value: Any) -> Text:
    match value:
        case None:
            return Text("")
        case bool():
            return Text("yes" if value else "no")
        case int():
            return Text(f"{value:,}")
        case dict():
            return Text(", ".join(f"{name} {_cell(inner)}" for name, inner in value.items()))
        case list():
            return Text("\n".join(str(_cell(inner)) for inner in value))
        case _:
            return Text(f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value))
