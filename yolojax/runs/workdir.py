"""The folder of one run: kept from other runs, with the settings that it was started with."""

import contextlib
import fcntl
import hashlib
import json
import pathlib
from collections.abc import Iterator

import jax
from absl import logging

from yolojax.files import Json, Path, write_json
from yolojax.settings import Settings, difference

CONTENT = "SHA-256 of the model's file"  # a key in config.json
TRAINING = ("model", "data", "train", "eval")  # the sections that a training run depends on
PRUNING = (*TRAINING, "prune")


@contextlib.contextmanager
def claim(settings: Settings, workdir: Path, *, sections: tuple[str, ...] = TRAINING) -> Iterator[pathlib.Path]:
    """The workdir, made and kept from other runs while the block lasts; `config.json` in it holds the settings.

    Raises ValueError when another run is in it, or was, with other settings in the `sections` that the run depends on.
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
        if (folder / "checkpoints").exists():
            check_same_run(settings, folder, sections=sections)
        write_json(folder / "config.json", to_json(settings))
        yield folder


def check_same_run(settings: Settings, folder: pathlib.Path, *, sections: tuple[str, ...] = TRAINING) -> None:
    """Raises ValueError when the run in `folder` was started with settings that lead elsewhere."""
    path, new = folder / "config.json", to_json(settings)
    old = json.loads(path.read_text()) if path.exists() else new
    changes = difference(old, new, sections)
    if old.get(CONTENT) != new.get(CONTENT):
        changes.append(f"{CONTENT} {old.get(CONTENT)!r} is now {new.get(CONTENT)!r}")
    if changes:
        raise ValueError(
            f"{folder} holds a run with other settings: {', '.join(changes)}; give a new --workdir or remove it"
        )


def to_json(settings: Settings) -> Json:
    """The settings as JSON values, with a checksum of the file that the network starts from, if that is a file."""
    found: Json = settings.to_json()
    path = pathlib.Path(settings.model.start)
    if path.is_file():
        with path.open("rb") as file:
            found[CONTENT] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
