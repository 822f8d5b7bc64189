"""Orbax checkpoints of a network: one restores by its path alone, since the architecture is with the arrays."""

import dataclasses
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from yolojax import darknet, network
from yolojax.export import stored
from yolojax.export.card import Facts
from yolojax.export.checks import check_values
from yolojax.export.format import Format, option
from yolojax.files import Path
from yolojax.network import Model


def save_model(path: Path, model: Model) -> None:
    """Writes a checkpoint that holds a network and nothing of its training, as step 0."""
    path = pathlib.Path(path).resolve()
    tree = {name: jax.tree.map(np.asarray, model.variables[name]) for name in stored.COLLECTIONS}
    meta = stored.make_meta(model.architecture, model.names, model.seen, tree, {})
    with ocp.CheckpointManager(path, options=ocp.CheckpointManagerOptions(create=True)) as manager:
        if manager.latest_step() is not None:
            raise ValueError(f"{path} already holds a checkpoint; give another folder or remove it")
        args = ocp.args.Composite(state=ocp.args.StandardSave(tree), meta=ocp.args.JsonSave(meta))
        with stored.writing(path):
            manager.save(0, args=args)
            manager.wait_until_finished()


def load_model(path: Path) -> Model:
    """The network in the newest checkpoint of `path`, a folder that a run or `save_model` wrote.

    Raises ValueError when there is none, and for one that is damaged, or that holds a value which is not finite.
    """
    folder = pathlib.Path(path).resolve()
    if (folder / "checkpoints").is_dir():  # a run's workdir
        folder = folder / "checkpoints"
    # Without this check CheckpointManager makes the folder.
    if not folder.is_dir():
        raise ValueError(f"{path}: no such checkpoint folder")
    # Not read_only, of which Orbax warns three times whoever asks for it; nothing here writes.
    with ocp.CheckpointManager(folder, options=ocp.CheckpointManagerOptions(create=False)) as manager:
        step = manager.latest_step()
        if step is None:
            raise ValueError(f"{path}: holds no checkpoint; expected a folder with one folder per step")
        with stored.refusing(folder / str(step)):
            meta = stored.read_meta(manager, step)
            architecture = darknet.parse_cfg(meta["cfg"], source=f"{folder}/{step}")
            with stored.reading(folder, step):
                item = stored.check_arrays(folder / str(step) / "state", architecture)
                args = ocp.args.PyTreeRestore(item=item, partial_restore=True)  # not the optimizer's part
                tree = manager.restore(step, args=ocp.args.Composite(state=args))["state"]
                stored.check_checksums(tree, meta)
    variables = {name: jax.tree.map(np.asarray, tree[name]) for name in stored.COLLECTIONS}
    network.check_variables(architecture, variables)
    check_values(variables, f"{folder}/{step}")
    return Model(architecture, variables, tuple(meta["names"]), meta["seen"])


@dataclasses.dataclass(frozen=True)
class CheckpointOptions:
    """A backbone becomes a checkpoint of the whole network, with random later layers."""

    cutoff: int = option(0, "only this many layers, the first: a backbone.")
    seed: int = option(0, "of the layers that a backbone does not hold.")


def _open_backbone(source: str, cfg: str, options: CheckpointOptions) -> Model | None:
    if not options.cutoff:
        return None
    if not cfg:
        raise ValueError("--cutoff needs --cfg, the layers of the whole network")
    architecture = darknet.read_cfg(cfg)
    variables = network.init(architecture, jax.random.key(options.seed))
    return Model(architecture, darknet.load_backbone(architecture, variables, source, options.cutoff))


def _write(path: pathlib.Path, model: Model, _: Facts, __: CheckpointOptions) -> pathlib.Path:
    save_model(path, model)
    return path


FORMAT = Format(
    "orbax",
    "a checkpoint folder",
    _write,
    recognises=pathlib.Path.is_dir,
    read=lambda path, _: load_model(path),
    options=CheckpointOptions,
    open_source=_open_backbone,
    folder=True,
)
