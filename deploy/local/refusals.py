"""What keeps the stack from coming up or going down, each told in a sentence: what, where, what to do."""


class CannotStart(Exception):
    """The stack cannot come up; the text is meant for the person at the terminal."""


class CannotStop(CannotStart):
    """The stack does not go down."""


class AlreadyRunning(CannotStart):
    """Another supervisor holds this state folder."""
