"""Pages for people: what is here, and the OpenAPI document to read. They need nothing from outside."""

from importlib.resources import files


def page(name: str) -> bytes:
    """One of the pages beside this module."""
    return files(__name__).joinpath(name).read_bytes()
