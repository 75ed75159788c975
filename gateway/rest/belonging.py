"""Methods about what belongs to something of another context, which is asked first whether there is such a thing."""

from collections.abc import Sequence

from gateway.rest.answers import Answer
from gateway.rest.decoding import UnsupportedFace
from gateway.rest.faces import Face
from gateway.rest.requests import Request
from gateway.rest.unary import Unary


class Belonging:
    """Serves one face: what does not exist, or not for this caller, has nothing that belongs to it."""

    def __init__(self, owner: Unary, belongings: Unary) -> None:
        self._owner = owner
        self._belongings = belongings

    async def __call__(self, request: Request) -> Answer:
        """The answer to one request; the owner's Problem when it refuses."""
        await self._owner.require(request)
        return await self._belongings(request)


def owner_of(face: Face, faces: Sequence[Face]) -> Face:
    """The face of the method that a face names; raises UnsupportedFace when its path does not name the same."""
    name = face.options.belongs_to
    owner = next((each for each in faces if each.method.full_name == name), None)
    if owner is None or not set(owner.variables) <= set(face.variables):
        raise UnsupportedFace(f"{face.method.full_name}: belongs to {name}, which its path does not name")
    return owner
