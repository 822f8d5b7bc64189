"""What a run tells while it goes: a line of JSON per logged step, and TensorBoard scalars."""

import json
import pathlib
from collections.abc import Mapping

import jax
from tensorboardX import SummaryWriter


class MetricsWriter:
    """Appends to `<folder>/metrics.jsonl` and to TensorBoard files beside it; only process 0 writes."""

    def __init__(self, folder: str | pathlib.Path):
        self._active = jax.process_index() == 0
        if self._active:
            folder = pathlib.Path(folder)
            folder.mkdir(parents=True, exist_ok=True)
            self._lines = (folder / "metrics.jsonl").open("a", buffering=1)
            self._board = SummaryWriter(str(folder / "tensorboard"))

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
