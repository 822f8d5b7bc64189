"""The loop: batches in, steps, a log line now and then, checkpoints, and the same run after a stop."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from absl import logging
from tqdm import tqdm

from yolojax.network import Architecture
from yolojax.training import parallel
from yolojax.training.checkpoints import Checkpoints
from yolojax.training.metrics import MetricsWriter
from yolojax.training.state import TrainState

StepFn = Callable[[TrainState, parallel.HostBatch], tuple[TrainState, Any]]


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """How long to train, and how often to log and save, all in steps."""

    steps: int
    log_every: int = 20
    save_every: int = 500
    progress: str = "train"


def fit(
    state: TrainState,
    step_fn: StepFn,
    batches: Iterator[parallel.HostBatch],
    *,
    architecture: Architecture,
    names: tuple[str, ...],
    workdir: pathlib.Path,
    settings: LoopSettings,
    learning_rate: Callable[[int], Any],
) -> TrainState:
    """Trains until step `settings.steps`, from the newest checkpoint under `workdir` if there is one.

    Args:
      state: unreplicated, at step 0; gives the structure of a checkpoint to resume.
      step_fn: from `parallel.compile_train_step`.
      batches: a Grain iterator, at its start; its position is saved and restored with the state.
      architecture: saved in the checkpoints.
      names: class names, likewise.
      workdir: gets `checkpoints/`, `metrics.jsonl` and `tensorboard/`.
      settings: see there.
      learning_rate: step -> rate, for the log.

    Returns:
      The last state, unreplicated. Raises ValueError when the loss is not finite.
    """
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        if checkpoints.latest_step is not None:
            state, extra = checkpoints.restore(state, architecture)
            batches.set_state(extra["data"])  # type: ignore[attr-defined]
            logging.info("resumed %s at step %d", workdir, int(state.step))
        start = int(state.step)
        if start >= settings.steps:
            return jax.device_get(state)
        replicated = parallel.replicate(state)

        def save() -> None:
            position = batches.get_state()  # type: ignore[attr-defined]
            checkpoints.save(parallel.unreplicate(replicated), architecture, names, data=position)

        log = _Log(workdir, settings, learning_rate, start)
        try:
            for step in range(start + 1, settings.steps + 1):
                batch = next(batches)
                log.fetched()
                images = batch["image"].shape[0] * jax.process_count()
                replicated, metrics = step_fn(replicated, {k: batch[k] for k in ("image", "truth")})
                log.stepped(step, images, metrics)
                if step % settings.save_every == 0 or step == settings.steps:
                    save()
        finally:
            log.close()
    return parallel.unreplicate(replicated)


class _Log:
    """Averages metrics between log lines, so that the host waits for the device only there."""

    def __init__(self, workdir: pathlib.Path, settings: LoopSettings, learning_rate: Callable[[int], Any], start: int):
        self._settings, self._learning_rate = settings, learning_rate
        self._writer = MetricsWriter(workdir)
        self._bar = tqdm(
            total=settings.steps,
            initial=start,
            desc=settings.progress,
            unit="step",
            disable=jax.process_index() > 0,
            mininterval=1.0,
        )
        self._reset()

    def _reset(self) -> None:
        self._pending: list[Any] = []
        self._images = 0
        self._data_seconds = 0.0
        self._since = self._mark = time.monotonic()

    def fetched(self) -> None:
        """The next batch came; what passed since the last step was waiting for it."""
        self._data_seconds += time.monotonic() - self._mark

    def stepped(self, step: int, images: int, metrics: Any) -> None:
        """One step was started."""
        self._pending.append(metrics)
        self._images += images
        self._bar.update(1)
        if step % self._settings.log_every == 0 or step == self._settings.steps:
            self._write(step)
        self._mark = time.monotonic()

    def _write(self, step: int) -> None:
        means = jax.tree.map(lambda *leaves: float(np.mean(np.asarray(leaves))), *jax.device_get(self._pending))
        seconds = time.monotonic() - self._since
        values = {
            **means,
            "learning_rate": float(self._learning_rate(step - 1)),
            "images_per_second": self._images / seconds,
            "data_wait_share": self._data_seconds / seconds,
        }
        self._writer.write(step, values)
        self._bar.set_postfix(loss=f"{means['loss']:.3f}")
        if not np.isfinite(means["loss"]):
            raise ValueError(
                f"the loss is not finite at step {step} (or within {len(self._pending)} steps before); "
                f"lower the learning rate or lengthen the warm-up; the last checkpoint is kept"
            )
        self._reset()

    def close(self) -> None:
        """Closes the bar and the files."""
        self._bar.close()
        self._writer.close()
