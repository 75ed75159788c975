"""What a second core of this machine brings to begin with: on shared hosts it is less than twice."""

import os
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from chassis import clock


def second_core(seconds: float) -> float:
    """How much more two processes count, each on a core, than one alone, in the mean of before and after."""
    with ProcessPoolExecutor(2) as pool:
        before = pool.submit(_counted, 0, seconds).result()
        both = sum(pool.map(_counted, (0, 1), (seconds, seconds)))
        return both / ((before + pool.submit(_counted, 0, seconds).result()) / 2)


def _counted(core: int, seconds: float) -> int:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})
    end = clock.monotonic() + seconds
    number = next(number for number in count() if clock.monotonic() >= end)
    os.sched_setaffinity(0, before)
    return number
