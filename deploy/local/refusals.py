"""What keeps the stack from coming up, each told in a sentence: what, where, what to do."""


class CannotStart(Exception):
    """The stack cannot come up; the text is meant for the person at the terminal."""


class AlreadyRunning(CannotStart):
    """Another supervisor holds this state folder."""
