"""What Postgres, Valkey and Kafka have in common for whoever starts them."""

from collections.abc import Sequence
from typing import Protocol

from deploy.local.child import Command


class Part(Protocol):
    """One embedded server of a stack."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """What a client needs to find it: a URL, or host and port."""
        ...

    @property
    def ports(self) -> Sequence[str]:
        """The names of the ports that it listens on."""
        ...

    def prepare(self) -> None:
        """Makes its folder and settings. Raises CannotStart when something that it needs cannot be had."""
        ...

    def format_command(self) -> Command | None:
        """What makes its data folder, when there is none yet."""
        ...

    def take_format(self) -> None:
        """Takes the result of a format command that ended well."""
        ...

    def command(self) -> Command: ...

    def answers(self) -> bool: ...

    def settle(self) -> None:
        """What is to be done once it answers, before anybody uses it."""
        ...
