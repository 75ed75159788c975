"""`python -m deploy.monitoring tools` has promtool and prometheus at hand."""

import sys
from collections.abc import Sequence

from deploy.monitoring import tools


def main(arguments: Sequence[str]) -> int:
    """The exit code; what cannot be had is said, and is no error: tests that need it are skipped with a reason."""
    if list(arguments) != ["tools"]:
        print(f"usage: python -m deploy.monitoring tools, not {' '.join(arguments)!r}", file=sys.stderr)
        return 2
    try:
        tools.fetch(print)
    except tools.NotToBeHad as reason:
        print(f"promtool and prometheus are not at hand, and tests that need them are skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
