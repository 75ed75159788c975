"""What imports need from their surroundings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from order_service.imports.domain import StagedRow


class Products(Protocol):
    """Which products can be ordered."""

    def activity_of(self, skus: Sequence[str]) -> Mapping[str, bool]:
        """Whether each is sold at present; those that do not exist are left out.

        May ask another context, so never inside a transaction; raises Unavailable when that is silent.
        """


class FileReader(Protocol):
    """Makes rows of a file's bytes as they arrive."""

    def __call__(self, chunks: Iterable[bytes], *, gzip: bool, max_bytes: int, currency: str) -> Iterator[StagedRow]:
        """Raises UnusableFile or FileTooLarge at the first byte that shows it."""
        ...
