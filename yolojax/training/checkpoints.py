"""Orbax checkpoints that hold the architecture with the arrays: a pruned network restores by its path alone.

A checkpoint folder holds one folder per step, each with `state` (arrays) and `meta` (JSON: the .cfg text, the class
names, what the caller adds).
"""

import contextlib
import dataclasses
import json
import pathlib
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from yolojax import darknet, network
from yolojax.network import Model
from yolojax.training import stored
from yolojax.training.state import TrainState

FORMAT = 1


class Checkpoints:
    """The checkpoints of one run. Use as a context manager; leaving it waits for saves in progress."""

    def __init__(self, folder: str | pathlib.Path, *, keep: int = 2):
        stored.hush_closed_loop()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True)
        self._manager = ocp.CheckpointManager(pathlib.Path(folder).resolve(), options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with _writing(self._manager.directory):
                self._manager.close()
        else:
            self._manager.close()

    @property
    def latest_step(self) -> int | None:
        """The newest whole checkpoint's step."""
        return self._manager.latest_step()

    def wait(self) -> None:
        """Returns when the save in progress is on the disk."""
        with _writing(self._manager.directory):
            self._manager.wait_until_finished()

    def save(self, state: TrainState, architecture: network.Architecture, names: tuple[str, ...], **extra: Any) -> None:
        """Saves an unreplicated state under its step; returns while the files are still being written.

        Args:
          state: NumPy leaves.
          architecture: printed as .cfg text into `meta`.
          names: class names.
          **extra: JSON values that `restore` returns.

        Raises OSError when this save or the one before it fails; older checkpoints stay.
        """
        tree = _to_tree(state)
        meta = _meta(architecture, names, int(state.seen)) | {"extra": extra, "crc32": _checksums(tree)}
        args = ocp.args.Composite(state=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with _writing(self._manager.directory):
            self._manager.save(int(state.step), args=args, force=True)

    def restore(self, state: TrainState, architecture: network.Architecture) -> tuple[TrainState, dict[str, Any]]:
        """The latest state, with the structure of `state`, and the extras.

        Raises ValueError for another architecture and for a checkpoint that is damaged.
        """
        step = self._manager.latest_step()
        assert step is not None, "no checkpoint to restore"
        with stored.refusing(pathlib.Path(self._manager.directory) / str(step)):
            meta = _read_meta(self._manager, step)
            stored.check_meta(meta, pathlib.Path(self._manager.directory) / str(step))
        saved = darknet.parse_cfg(meta["cfg"], source=f"{self._manager.directory}/{step}")
        if saved != architecture:
            raise ValueError(
                f"{self._manager.directory} holds another architecture than this run's; give a new --workdir"
            )
        abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), _to_tree(state))
        args = ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        with _reading(self._manager.directory, step):
            tree = self._manager.restore(step, args=args)["state"]
            _check(tree, meta)
        return TrainState(**tree), meta["extra"]


def save_model(path: str | pathlib.Path, model: Model) -> None:
    """Writes a checkpoint that holds a network and nothing of its training, as step 0."""
    path = pathlib.Path(path).resolve()
    tree = {"params": model.variables["params"], "batch_stats": model.variables["batch_stats"]}
    tree = jax.tree.map(np.asarray, tree)
    meta = _meta(model.architecture, model.names, model.seen) | {"extra": {}, "crc32": _checksums(tree)}
    with ocp.CheckpointManager(path, options=ocp.CheckpointManagerOptions(create=True)) as manager:
        if manager.latest_step() is not None:
            raise ValueError(f"{path} already holds a checkpoint; give another folder or remove it")
        args = ocp.args.Composite(state=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with _writing(path):
            manager.save(0, args=args)
            manager.wait_until_finished()


def load_model(path: str | pathlib.Path) -> Model:
    """The network in the newest checkpoint of `path`, a folder that a run or `save_model` wrote.

    Raises ValueError when there is none, and for one that is damaged, or that holds a value which is not finite.
    """
    folder = pathlib.Path(path).resolve()
    if (folder / "checkpoints").is_dir():  # a run's workdir
        folder = folder / "checkpoints"
    # Without this check CheckpointManager makes the folder.
    if not folder.is_dir():
        raise ValueError(f"{path}: no such checkpoint folder")
    with ocp.CheckpointManager(folder, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
        step = manager.latest_step()
        if step is None:
            raise ValueError(f"{path}: holds no checkpoint; expected a folder with one folder per step")
        with stored.refusing(folder / str(step)):
            meta = _read_meta(manager, step)
            stored.check_meta(meta, folder / str(step))
            architecture = darknet.parse_cfg(meta["cfg"], source=f"{folder}/{step}")
            with _reading(folder, step):
                item = stored.check_arrays(folder / str(step) / "state", architecture)
                args = ocp.args.PyTreeRestore(item=item, partial_restore=True)  # not the optimizer's part
                tree = manager.restore(step, args=ocp.args.Composite(state=args))["state"]
                _check(tree, meta)
    variables = jax.tree.map(np.asarray, {"params": tree["params"], "batch_stats": tree["batch_stats"]})
    network.check_variables(architecture, variables)
    stored.check_values(variables, f"{folder}/{step}")
    return Model(architecture, variables, tuple(meta["names"]), int(meta["seen"]))


def _read_meta(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    with _reading(manager.directory, step):
        meta = manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
    if meta.get("format") != FORMAT:
        raise ValueError(f"{manager.directory}: checkpoint format {meta.get('format')!r}, expected {FORMAT}")
    return meta


@contextlib.contextmanager
def _reading(folder: Any, step: int) -> Iterator[None]:
    """What Orbax raises about a damaged checkpoint, as one line that says what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder}/{step} is damaged ({_brief(error)}); remove that folder to use the checkpoint before it"
        ) from error


@contextlib.contextmanager
def _writing(folder: Any) -> Iterator[None]:
    """What Orbax raises when it cannot write, as one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise OSError(
            f"{folder}: a checkpoint could not be written ({_brief(error)}); older ones are kept. "
            "Free or change the disk; the same command goes on"
        ) from error


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:60]}...{text[-90:]}"


def _checksums(tree: Any) -> dict[str, int]:
    """{leaf: CRC-32 of its bytes} of the network; Orbax does not notice every changed byte."""
    tree = {name: tree[name] for name in ("params", "batch_stats")}
    return {
        jax.tree_util.keystr(path): zlib.crc32(np.ascontiguousarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _check(tree: Any, meta: dict[str, Any]) -> None:
    if wrong := sorted(meta["crc32"].items() ^ _checksums(tree).items()):
        raise ValueError(f"checksum of {wrong[0][0]} is wrong")


def _meta(architecture: network.Architecture, names: tuple[str, ...], seen: int) -> dict[str, Any]:
    meta = {"format": FORMAT, "cfg": darknet.format_cfg(architecture), "names": list(names), "seen": seen}
    return json.loads(json.dumps(meta))


def _to_tree(state: TrainState) -> dict[str, Any]:
    # NumPy: Orbax refuses jax arrays of one host when there are several.
    return {field.name: jax.tree.map(np.asarray, getattr(state, field.name)) for field in dataclasses.fields(state)}
