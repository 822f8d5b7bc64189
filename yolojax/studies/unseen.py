"""Whether the images of a sensitivity analysis are new to the network, and to those that it was trained from."""

import json
import pathlib
from collections.abc import Iterator

from absl import logging

from yolojax import data
from yolojax.runs import setup
from yolojax.settings import DataSettings, Settings

PARTS = {"trainval": {"train", "validation"}}
SHARE = 0.2  # of the training images, where there is no validation split


def check(settings: Settings) -> None:
    """Raises ValueError when training sees images of `study.sensitivity_split`: the study's, or the network's before.

    What a network was trained on is known where the config.json of its run is beside it.
    """
    wanted, about = settings.study.sensitivity_split, settings.data
    seen = [("data.train_split", about.train_split, about.hold_out), *_earlier(settings.model.start, about.source)]
    held_out = setup.is_held_out(about, wanted)
    images = _parts(about.train_split if held_out else wanted)
    for who, split, share in seen:
        if held_out and (split, share) == (about.train_split, about.hold_out):
            continue  # the same images, and not these
        if images & _parts(split):
            raise ValueError(
                f"study.sensitivity_split {wanted!r} has images that training saw ({who}: {split!r}); train the "
                f"network and the rows with {_remedy(about, wanted)}, or leave study.sensitivity_amounts out"
            )


def with_validation(settings: Settings) -> Settings:
    """The settings; where sensitivity is asked for and the data have no validation split, a share is held out for it.

    The log says so.
    """
    study, about = settings.study, settings.data
    if not study.sensitivity_amounts or data.split_name(study.sensitivity_split) != "validation":
        return settings
    if about.hold_out or "validation" in data.find_splits(about.source):
        return settings
    logging.warning(
        "%s has no validation split; data.hold_out=%s of the images of %s, chosen at random with seed 0, take its "
        "place, and are not trained on",
        about.source,
        SHARE,
        about.train_split,
    )
    return settings.replace(data={"hold_out": SHARE})


def _remedy(about: DataSettings, wanted: str) -> str:
    if setup.is_held_out(about, wanted):
        return f"data.train_split={about.train_split!r} and data.hold_out={about.hold_out}"
    return "data.train_split='train'"


def _parts(split: str) -> set[str]:
    split = data.split_name(split)
    return PARTS.get(split, {split})


def _earlier(start: str, source: str) -> Iterator[tuple[str, str, float]]:
    """The runs that led to a network, the last one first, each with the split of `source` that it was trained on.

    Beside it, the share of that split which was held out.
    """
    visited: set[pathlib.Path] = set()
    while start:
        place = pathlib.Path(start)
        folder = place if place.is_dir() else place.parent
        path = folder / "config.json"
        if not path.exists() or path in visited:
            return
        visited.add(path)
        config = json.loads(path.read_text())
        if not isinstance(config.get("data"), dict):  # of a version without sections
            return
        if config["data"]["source"] == source:
            yield str(folder), config["data"]["train_split"], config["data"].get("hold_out", 0.0)
        start = config["model"]["start"]
