"""What a run reports as it goes: a line of JSON per logged step, and TensorBoard scalars."""

import json
import pathlib
from collections.abc import Mapping

import jax
from tensorboardX import SummaryWriter

from yolojax.files import Path, write_text


class MetricsWriter:
    """Appends to `<folder>/metrics.jsonl` and to TensorBoard files beside it; only process 0 writes.

    The run begins at step `start`; later lines come from a run that stopped after its last save, and are removed.
    """

    def __init__(self, folder: Path, *, start: int = 0):
        self._active = jax.process_index() == 0
        if self._active:
            folder = pathlib.Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            _keep_until(folder / "metrics.jsonl", start)
            self._lines = (folder / "metrics.jsonl").open("a", buffering=1)
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One line `{"step": ..., name: value, ...}` and one scalar per value."""
        if not self._active:
            return
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Closes the files."""
        if self._active:
            self._lines.close()
            self._board.close()


def read_metrics(path: pathlib.Path) -> list[dict[str, float]]:
    """The lines of a metrics.jsonl. The last one may be cut off by a kill; it is left out."""
    found = []
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            found.append(json.loads(line))
    return found


def _keep_until(path: pathlib.Path, step: int) -> None:
    if path.exists():
        kept = [line for line in read_metrics(path) if line["step"] <= step]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
