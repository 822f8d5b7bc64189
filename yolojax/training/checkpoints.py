"""The checkpoints of a run: the whole training state, in the layout of `export.stored`."""

import dataclasses
import pathlib
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from yolojax import darknet, network
from yolojax.export import stored
from yolojax.files import Json, Path
from yolojax.training.state import TrainState


class Checkpoints:
    """The checkpoints of one run. Use as a context manager; leaving it waits for saves in progress."""

    def __init__(self, folder: Path, *, keep: int = 2):
        stored.hush_closed_loop()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(pathlib.Path(folder).resolve(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with stored.writing(self._manager.directory):
                self._manager.close()
        else:
            self._manager.close()

    @property
    def latest_step(self) -> int | None:
        """The newest whole checkpoint's step."""
        return self._manager.latest_step()

    def wait(self) -> None:
        """Returns when the save in progress is on the disk."""
        with stored.writing(self._manager.directory):
            self._manager.wait_until_finished()

    def save(
        self, state: TrainState, architecture: network.Architecture, names: tuple[str, ...], **extra: object
    ) -> None:
        """Saves an unreplicated state under its step; returns while the files are still being written.

        Args:
          state: NumPy leaves.
          architecture: printed as .cfg text into `meta`.
          names: class names.
          **extra: JSON values that `restore` returns.

        Raises OSError when this save or the one before it fails; older checkpoints stay.
        """
        tree = _to_tree(state)
        meta = stored.make_meta(architecture, names, int(state.seen), tree, extra)
        args = ocp.args.Composite(state=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with stored.writing(self._manager.directory):
            self._manager.save(int(state.step), args=args, force=True)

    def restore(self, state: TrainState, architecture: network.Architecture) -> tuple[TrainState, Json]:
        """The latest state, with the structure of `state`, and the extras.

        Raises ValueError for another architecture and for a checkpoint that is damaged.
        """
        step = self._manager.latest_step()
        assert step is not None, "no checkpoint to restore"
        with stored.refusing(pathlib.Path(self._manager.directory) / str(step)):
            meta = stored.read_meta(self._manager, step)
        saved = darknet.parse_cfg(meta["cfg"], source=f"{self._manager.directory}/{step}")
        if saved != architecture:
            raise ValueError(
                f"{self._manager.directory} holds another architecture than this run's; give a new --workdir"
            )
        abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), _to_tree(state))
        args = ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        with stored.reading(self._manager.directory, step):
            tree = self._manager.restore(step, args=args)["state"]
            stored.check_checksums(tree, meta)
        return TrainState(**tree), meta["extra"]


def _to_tree(state: TrainState) -> dict[str, Any]:
    # NumPy: Orbax refuses jax arrays of one host when there are several.
    return {field.name: jax.tree.map(np.asarray, getattr(state, field.name)) for field in dataclasses.fields(state)}
