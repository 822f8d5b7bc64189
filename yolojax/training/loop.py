"""The loop: batches in, steps, a log line now and then, checkpoints, and the same run after a stop."""

import dataclasses
import math
import pathlib
import time
import types
from collections.abc import Callable, Mapping
from typing import SupportsFloat

import grain
import jax
import numpy as np
from absl import logging

from yolojax import data
from yolojax.network import Architecture, Variables
from yolojax.progress import on_terminal, progress
from yolojax.training import parallel
from yolojax.training.checkpoints import Checkpoints
from yolojax.training.interrupt import StopRequest
from yolojax.training.metrics import MetricsWriter
from yolojax.training.state import TrainState

SECONDS_BETWEEN_LINES = 30  # where there is no bar


@dataclasses.dataclass(frozen=True)
class LoopSettings:
    """How long to train, and how often to log, save and evaluate (0: never), all in steps."""

    steps: int
    log_every: int = 20
    save_every: int = 500
    eval_every: int = 0


def fit(
    state: TrainState,
    step_fn: parallel.StepFn,
    batches: grain.DatasetIterator[data.Batch],
    *,
    architecture: Architecture,
    names: tuple[str, ...],
    workdir: pathlib.Path,
    settings: LoopSettings,
    learning_rate: Callable[[int], SupportsFloat],
    evaluate: Callable[[Variables], Mapping[str, float]] | None = None,
    name_image: Callable[[int], str] = str,
    changes: Mapping[int, Callable[[TrainState], TrainState]] = types.MappingProxyType({}),
) -> TrainState:
    """Trains until step `settings.steps`, from the newest checkpoint under `workdir` if there is one.

    Args:
      state: unreplicated, at step 0; gives the structure of a checkpoint to resume.
      step_fn: from `parallel.compile_train_step`; it gets every leaf of a batch.
      batches: a Grain iterator, at its start; its position is saved and restored with the state.
      architecture: saved in the checkpoints.
      names: class names, likewise.
      workdir: gets `checkpoints/`, `metrics.jsonl` and `tensorboard/`.
      settings: see there.
      learning_rate: step -> rate, for the log.
      evaluate: unreplicated variables -> values for the log, `map_11point` among them, every `settings.eval_every`
        steps; the best so far is kept with the checkpoints.
      name_image: what a batch's `index` stands for, for the error about a loss that is not finite.
      changes: {step: what becomes of the unreplicated state right after that step}, such as other masks by
        `pruning.change_masks`: before it is evaluated and saved, so a run that resumes there has it already.
        Arrays keep their shapes. Steps that the run does not reach change nothing.

    Returns:
      The last state, unreplicated. Raises ValueError when the loss is not finite, and for a change before step 1;
      SystemExit after SIGTERM (143) or Ctrl-C (130), once the state is saved.
    """
    if changes and min(changes) < 1:
        raise ValueError(f"changes at step {min(changes)}, expected steps from 1 on; change the state that is given")
    best: dict[str, float] = {}
    with StopRequest() as stop, Checkpoints(workdir / "checkpoints") as checkpoints:
        if checkpoints.latest_step is not None:
            state, extra = checkpoints.restore(state, architecture)
            best = extra["best"]
            batches.set_state(extra["data"])
            logging.info("resumed %s at step %d %s", workdir, int(state.step), _say(best))
        start = int(state.step)
        if start > settings.steps:
            raise ValueError(
                f"{workdir} is at step {start}, past the {settings.steps} of this run; give a new --workdir"
            )
        if start == settings.steps:
            return jax.device_get(state)
        replicated = parallel.replicate(state)
        log = _Log(workdir, settings, learning_rate, start, name_image)

        def save() -> None:
            log.check_finite()
            position = batches.get_state()
            checkpoints.save(parallel.unreplicate(replicated), architecture, names, data=position, best=best)
            log.skip_time()

        try:
            for step in range(start + 1, settings.steps + 1):
                batch = next(batches)
                log.fetched()
                replicated, metrics = step_fn(replicated, batch)
                log.stepped(step, batch, metrics)
                if step in changes:
                    replicated = parallel.replicate(changes[step](parallel.unreplicate(replicated)))
                    log.skip_time()
                if evaluate and settings.eval_every and step % settings.eval_every == 0:
                    values = evaluate(parallel.unreplicate(replicated).variables)
                    log.evaluated(step, values)
                    if not best or values["map_11point"] > best["map_11point"]:
                        best = {"step": step, **values}
                        logging.info("%s", _say(best))
                if step % settings.save_every == 0 or step == settings.steps:
                    save()
                if stop.requested():
                    if step % settings.save_every and step < settings.steps:
                        save()
                    checkpoints.wait()
                    logging.warning("stopped at step %d, which is saved; the same command resumes from it", step)
                    raise SystemExit(stop.exit_code)
        finally:
            log.close()
    return parallel.unreplicate(replicated)


def _say(best: Mapping[str, float]) -> str:
    return f"(best mAP so far {best['map_11point']:.4f}, at step {best['step']})" if best else ""


class _Log:
    """Averages metrics between log lines, so that the host waits for the device only there."""

    def __init__(
        self,
        workdir: pathlib.Path,
        settings: LoopSettings,
        learning_rate: Callable[[int], SupportsFloat],
        start: int,
        name_image: Callable[[int], str],
    ):
        self._settings, self._learning_rate, self._name_image = settings, learning_rate, name_image
        self._writer = MetricsWriter(workdir, start=start)
        self._bar = progress(
            what="train", unit="step", total=settings.steps, initial=start, hidden=jax.process_index() > 0
        )
        self._next_line = 0.0 if jax.process_index() == 0 and not on_terminal() else math.inf
        self._reset()

    def _reset(self) -> None:
        self._pending: list[tuple[int, np.ndarray, parallel.Metrics]] = []
        self._data_seconds = 0.0
        self._since = self._mark = time.monotonic()

    def fetched(self) -> None:
        """The next batch came; the time since the last step was spent waiting for it."""
        self._data_seconds += time.monotonic() - self._mark

    def stepped(self, step: int, batch: data.Batch, metrics: parallel.Metrics) -> None:
        """One step was started."""
        self._pending.append((step, batch["index"], metrics))
        self._bar.update(1)
        if step % self._settings.log_every == 0 or step == self._settings.steps:
            self._write(step)
        self._mark = time.monotonic()

    def evaluated(self, step: int, values: Mapping[str, float]) -> None:
        """Values of an evaluation, in a line of their own; its time does not count as a step's."""
        self._writer.write(step, values)
        self._since += time.monotonic() - self._mark
        self._mark = time.monotonic()

    def skip_time(self) -> None:
        """The time since the step was not spent waiting for data."""
        self._mark = time.monotonic()

    def check_finite(self) -> None:
        """Raises ValueError that names the first step since the last log line whose loss is not finite."""
        for step, index, metrics in self._pending:
            if not np.isfinite(jax.device_get(metrics["loss"])).all():
                images = ", ".join(self._name_image(int(i)) for i in index)
                raise ValueError(
                    f"the loss is not finite at step {step} (images {images}); lower the learning rate, lengthen the "
                    f"warm-up or look at these images; --debug-nans finds the operation. The last checkpoint is kept"
                )

    def _write(self, step: int) -> None:
        self.check_finite()
        seconds = time.monotonic() - self._since
        images = sum(len(index) for _, index, _ in self._pending) * jax.process_count()
        found = [jax.device_get(metrics) for _, _, metrics in self._pending]
        means = {name: float(np.mean([values[name] for values in found])) for name in found[0]}
        values = {
            **means,
            "learning_rate": float(self._learning_rate(step - 1)),
            "images_per_second": images / seconds,
            "data_wait_share": self._data_seconds / seconds,
        }
        self._writer.write(step, values)
        self._bar.set_postfix(loss=f"{means['loss']:.3f}")
        self._say(step, means["loss"], images / seconds)
        self._reset()

    def _say(self, step: int, loss: float, images_per_second: float) -> None:
        """A line in place of the bar, where there is none; not with each of the log's."""
        steps = self._settings.steps
        if time.monotonic() >= self._next_line or (step == steps and self._next_line < math.inf):
            logging.info("step %d of %d, loss %.3f, %.0f images/s", step, steps, loss, images_per_second)
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def close(self) -> None:
        """Closes the bar and the files."""
        self._bar.close()
        self._writer.close()
