"""Absolute paths that exist on one machine only."""

import re
from collections.abc import Sequence

PATH = re.compile(r"(?<![\w./}])/(?:work|root|home|Users|tmp)/\w[\w./-]*")


def machine_paths(text: str) -> Sequence[str]:
    return PATH.findall(text)
