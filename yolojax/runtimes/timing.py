"""Milliseconds of several networks or runtimes, measured in turns."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)

REST = 0.05  # seconds before a turn: the threads of the one before spin for a while and would slow it
CALLS = 4  # in a turn; the first, which finds its weights out of the caches, does not count


@dataclasses.dataclass(frozen=True)
class Timing:
    """Of the calls of one contestant: seconds, median and quartiles."""

    median: float
    low: float
    high: float
    calls: int


def race(contestants: Mapping[Key, Callable[[], object]], *, rounds: int) -> dict[Key, Timing]:
    """Times each call, in turns of `CALLS`, so that what else the machine does falls on all alike."""
    seconds: dict[Key, list[float]] = {name: [] for name in contestants}
    for call in contestants.values():
        call()
    for _ in range(rounds):
        for name, call in contestants.items():
            time.sleep(REST)
            call()
            for _ in range(CALLS - 1):
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return {name: _summary(np.array(found)) for name, found in seconds.items()}


def _summary(seconds: np.ndarray) -> Timing:
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Timing(float(median), float(low), float(high), len(seconds))
