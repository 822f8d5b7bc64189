"""The folder of one run: kept from other runs, with the settings that it was started with."""

import contextlib
import fcntl
import hashlib
import json
import pathlib
from collections.abc import Iterator, Sequence

import jax
import numpy as np
from absl import logging

from yolojax import darknet
from yolojax.files import Json, Path, write_json
from yolojax.network import Model
from yolojax.settings import Settings, difference

# Keys in config.json, beside the settings.
CONTENT = "SHA-256 of the model's file"
IN_MEMORY = "SHA-256 of the networks in memory"
KEPT = ("checkpoints", "model.weights")  # what a run of other settings would go on from, or replace
TRAINING = ("model", "data", "train", "eval")  # the sections that a training run depends on
PRUNING = (*TRAINING, "prune")


@contextlib.contextmanager
def claim(
    settings: Settings, workdir: Path, *, sections: tuple[str, ...] = TRAINING, networks: Sequence[Model] = ()
) -> Iterator[pathlib.Path]:
    """The workdir, made and kept from other runs while the block lasts; `config.json` in it holds the settings.

    `networks` are those that the run is given in memory, where the settings name no file. Raises ValueError when
    another run is in the workdir, or was, with other networks or other settings in the `sections` that the run depends
    on.
    """
    folder = pathlib.Path(workdir)
    if jax.process_index() > 0:
        yield folder
        return
    folder.mkdir(parents=True, exist_ok=True)
    devices = f"{jax.device_count()} {jax.default_backend()} device(s) in {jax.process_count()} process(es)"
    with (folder / ".lock").open("w") as lock:
        # The kernel drops the lock when the process ends, in whatever way: nothing stale stays.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder} is in use by another run; wait for it or give another --workdir") from None
        logging.info("%s, results in %s", devices, folder)
        if any((folder / name).exists() for name in KEPT):
            check_same_run(settings, folder, sections=sections, networks=networks)
        write_json(folder / "config.json", to_json(settings, networks))
        yield folder


def holds_training(folder: pathlib.Path) -> bool:
    """Whether a training began in the folder, which the same run goes on with."""
    return any((folder / "checkpoints").glob("[0-9]*"))


def check_same_run(
    settings: Settings,
    folder: pathlib.Path,
    *,
    sections: tuple[str, ...] = TRAINING,
    networks: Sequence[Model] = (),
) -> None:
    """Raises ValueError when the run in `folder` was started with settings or networks that lead elsewhere."""
    path, new = folder / "config.json", to_json(settings, networks)
    old = json.loads(path.read_text()) if path.exists() else new
    changes = difference(old, new, sections)
    for key in (CONTENT, IN_MEMORY):
        if old.get(key) != new.get(key):
            changes.append(f"{key} {old.get(key)!r} is now {new.get(key)!r}")
    if changes:
        raise ValueError(
            f"{folder} holds a run with other settings: {', '.join(changes)}; give a new --workdir or remove it"
        )


def to_json(settings: Settings, networks: Sequence[Model] = ()) -> Json:
    """The settings as JSON values, with checksums of the file that the run starts from and of networks in memory."""
    found: Json = settings.to_json()
    path = pathlib.Path(settings.model.start)
    if path.is_file():
        with path.open("rb") as file:
            found[CONTENT] = hashlib.file_digest(file, "sha256").hexdigest()
    if networks:
        found[IN_MEMORY] = _digest(networks)
    return found


def _digest(networks: Sequence[Model]) -> str:
    found = hashlib.sha256()
    for model in networks:
        found.update(f"{darknet.format_cfg(model.architecture)}{model.seen}".encode())
        for leaf in jax.tree.leaves(model.variables):
            found.update(np.ascontiguousarray(leaf))
    return found.hexdigest()
