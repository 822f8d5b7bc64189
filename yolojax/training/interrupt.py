"""SIGTERM as a request: what clouds send some seconds before they take a machine."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import jax
from jax.experimental import multihost_utils


class StopRequest:
    """Within the block, SIGTERM sets a flag; a second one ends the process as always.

    With several processes JAX's own notice is used, by which all of them stop at the same step.
    """

    def __enter__(self) -> "StopRequest":
        self._received = False
        # Elsewhere than in the main thread Python cannot install a handler.
        self._mine = jax.process_count() == 1 and threading.current_thread() is threading.main_thread()
        if self._mine:
            self._before = signal.signal(signal.SIGTERM, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mine:
            signal.signal(signal.SIGTERM, self._before)

    def requested(self, step: int) -> bool:
        """Whether to save and leave after `step`; the same answer on every process."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._received

    def _receive(self, number: int, frame: FrameType | None) -> Any:
        self._received = True
        signal.signal(signal.SIGTERM, self._before)
