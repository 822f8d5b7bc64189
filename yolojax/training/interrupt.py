"""Signals as a request: SIGTERM, which clouds send some seconds before they take a machine away, and Ctrl-C."""

import itertools
import signal
import threading
from types import FrameType, TracebackType

import jax
from absl import logging
from jax.experimental import multihost_utils

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# JAX agrees on one of these numbers and tests for equality, so a process must not skip one.
_calls = itertools.count(1)


class StopRequest:
    """Within the block, SIGTERM and Ctrl-C set a flag; a second one ends the process as always.

    With several processes JAX's own notice of SIGTERM is used, by which all of them stop at the same step. A request
    that comes after the last step ends the process when the block does. A signal that is ignored, as Ctrl-C is in a
    shell's background jobs, stays ignored.

    Attributes:
      exit_code: of a process that stops on request: 128 plus the signal's number.
    """

    exit_code = 128 + signal.SIGTERM

    def __enter__(self) -> "StopRequest":
        self._received = False
        # Elsewhere than in the main thread Python cannot install a handler.
        self._mine = jax.process_count() == 1 and threading.current_thread() is threading.main_thread()
        if self._mine:
            self._before = {
                number: signal.signal(number, self._receive)
                for number in SIGNALS
                if signal.getsignal(number) != signal.SIG_IGN
            }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mine:
            self._restore()
        if kind is None and self._received:
            logging.warning("stopped; what was trained is saved")
            raise SystemExit(self.exit_code)

    def requested(self) -> bool:
        """Whether to save and leave now; the same answer on every process, which all ask after each step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(next(_calls))
        return self._received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        self.exit_code = 128 + number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
