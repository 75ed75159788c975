"""What imports need from their surroundings."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Products(Protocol):
    """Which products can be ordered."""

    def activity_of(self, skus: Sequence[str]) -> Mapping[str, bool]:
        """Whether each is sold at present; those that do not exist are left out.

        May ask another context, so never inside a transaction; raises Unavailable when that is silent.
        """
