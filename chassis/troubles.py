"""Why a dependency is of no use, in words that health, metrics and logs share."""

from typing import Final

_PASSWORD: Final = ("password authentication failed", "no password supplied", "WRONGPASS", "NOAUTH", "invalid password")
_FATAL: Final = "FATAL:"
_LONGEST: Final = 200


class Trouble(Exception):
    """What is wrong with a dependency: `reason` is one of a few words, `sentence` says it to people.

    A check raises it when the dependency is of no use, and returns it when it is, but not as it should be.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


def trouble_of(error: Exception) -> Trouble:
    """What an error of a client says: password, refused, silent or unreachable.

    By its text, for a connection that was refused carries no SQLSTATE.
    """
    if isinstance(error, Trouble):
        return error
    text = str(error)
    if isinstance(error, TimeoutError):
        return Trouble("silent", "there is no answer in time")
    if any(sign in text for sign in _PASSWORD):
        return Trouble("password", "the password is refused")
    if _FATAL in text:
        return Trouble("refused", f"the connection is refused: {_said(text)}")
    return Trouble("unreachable", "nobody is reached there")


def _said(text: str) -> str:
    line = text.rpartition(_FATAL)[2].strip().splitlines()
    return (line[0] if line else "")[:_LONGEST]
