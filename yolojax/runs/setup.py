"""From a config to the objects of a run."""

import contextlib
import fcntl
import hashlib
import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from absl import logging

from yolojax import darknet, data, detection, export, network, training
from yolojax.files import replacing

# What may change when a run goes on.
FREE = frozenset(
    ("steps", "epochs", "data_dir", "threads", "log_every", "save_every", "eval_every", "eval_batch_size", "pictures")
)
# Which rows a study has does not change any of them.
FREE |= {"seeds", "control", "filter_amounts", "weight_amounts", "sensitivity_amounts"}
CONTENT = "SHA-256 of the model's file"  # a key in config.json
# Least and most. The protocol checks its thresholds itself.
RANGES = {
    "batch_size": (1, math.inf),
    "cutoff": (0, math.inf),
    "decay": (0, math.inf),
    "epochs": (0, math.inf),
    "eval_batch_size": (1, math.inf),
    "eval_every": (0, math.inf),
    "exposure": (1, math.inf),
    "hue": (0, 1),
    "jitter": (0, 1),
    "learning_rate": (0, math.inf),
    "log_every": (1, math.inf),
    "max_boxes": (1, math.inf),
    "momentum": (0, 1),
    "pictures": (0, math.inf),
    "saturation": (1, math.inf),
    "save_every": (1, math.inf),
    "seed": (0, math.inf),
    "size": (1, math.inf),
    "steps": (0, math.inf),
    "threads": (1, math.inf),
    "warmup_steps": (0, math.inf),
}
DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@contextlib.contextmanager
def claim(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> Iterator[pathlib.Path]:
    """The workdir, made and kept from other runs while the block lasts; `config.json` in it tells the config.

    Raises ValueError when another run is in it, or was, with other settings.
    """
    check_ranges(config)
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
            check_same_run(config, folder)
        write_json(folder / "config.json", settings(config))
        yield folder


def check_ranges(config: ml_collections.ConfigDict) -> None:
    """Raises ValueError for a number that makes no sense."""
    for name, (least, most) in RANGES.items():
        value = config.get(name, least)
        if not least <= value <= most:
            expected = f"at least {least}" if most == math.inf else f"{least}..{most}"
            raise ValueError(f"{name} {value}, expected {expected}")
    if not (config.steps or config.epochs):
        raise ValueError("steps and epochs are both 0; give one of them")


def check_same_run(config: ml_collections.ConfigDict, folder: pathlib.Path) -> None:
    """Raises ValueError when the run in `folder` was started with settings that lead elsewhere."""
    path, new = folder / "config.json", settings(config)
    old = json.loads(path.read_text()) if path.exists() else new
    other = sorted(name for name in (old.keys() | new.keys()) - FREE if old.get(name) != new.get(name))
    if other:
        changes = ", ".join(f"{name} {old.get(name)!r} is now {new.get(name)!r}" for name in other)
        raise ValueError(f"{folder} holds a run with other settings: {changes}; give a new --workdir or remove it")


def settings(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """A config as JSON values, with a checksum of the file that it starts from, if that is a file."""
    found, path = to_dict(config), pathlib.Path(config.model)
    if path.is_file():
        with path.open("rb") as file:
            found[CONTENT] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def to_dict(config: ml_collections.ConfigDict) -> dict[str, Any]:
    """A config as JSON values."""
    return json.loads(config.to_json_best_effort())


def open_start(config: ml_collections.ConfigDict) -> network.Model:
    """The network that the config starts from; a .cfg beside a .weights file goes before the config's."""
    cfg = "" if pathlib.Path(config.model).with_suffix(".cfg").exists() else config.cfg
    return export.open_model(config.model, cfg=cfg, names=config.names)


def open_split(config: ml_collections.ConfigDict, split: str, names: tuple[str, ...]) -> data.Dataset:
    """The data set of the config; `names` (or the config's file) settles the order of its classes."""
    wanted = tuple(darknet.read_names(config.names)) if config.names else ()
    dataset = data.open_dataset(config.data, split, data_dir=config.data_dir or None, names=names or wanted or None)
    if wanted and wanted != dataset.names:
        raise ValueError(
            f"{config.names} has {', '.join(wanted)}; {dataset.description} has {', '.join(dataset.names)}"
        )
    return dataset


def make_evaluator(config: ml_collections.ConfigDict, architecture: Any, dataset: data.Dataset) -> training.Evaluator:
    """The evaluator of an architecture under the config's protocol."""
    protocol = training.Protocol(config.size, config.score_threshold, config.nms_iou)
    return training.Evaluator(
        architecture,
        dataset,
        protocol,
        batch_size=config.eval_batch_size,
        dtype=compute_dtype(config),
        threads=config.threads,
    )


def compute_dtype(config: ml_collections.ConfigDict) -> Any:
    """The dtype named in the config."""
    if config.dtype not in DTYPES:
        raise ValueError(f"dtype {config.dtype!r}, expected one of {', '.join(DTYPES)}")
    return DTYPES[config.dtype]


def augmentation(config: ml_collections.ConfigDict) -> data.AugmentConfig:
    """Darknet's augmentation with the config's amounts."""
    return data.AugmentConfig(
        jitter=config.jitter,
        hue=config.hue,
        saturation=config.saturation,
        exposure=config.exposure,
        flip=config.flip,
    )


def make_anchors(
    config: ml_collections.ConfigDict, dataset: data.Dataset, cells: int
) -> tuple[tuple[float, float], ...]:
    """Anchors by k-means over the training set's shapes, in cells of a `cells` x `cells` head; () for the cfg's own."""
    if config.anchors == "cfg":
        return ()
    if config.anchors != "kmeans":
        raise ValueError(f"anchors {config.anchors!r}, expected 'cfg' or 'kmeans'")
    count = len(darknet.read_cfg(config.cfg).region.anchors)
    sizes = data.box_sizes(dataset) * cells
    anchors = detection.kmeans_anchors(sizes, count, seed=config.seed)
    logging.info(
        "k-means anchors (cells): %s; mean IoU %.3f", anchors.round(2).tolist(), detection.mean_iou(sizes, anchors)
    )
    return tuple((round(float(w), 4), round(float(h), 4)) for w, h in anchors)


def write_json(path: pathlib.Path, content: Any) -> None:
    """Writes JSON whole or not at all, on process 0."""
    if jax.process_index() == 0:
        with replacing(path) as beside:
            beside.write_text(json.dumps(content, indent=1) + "\n")
