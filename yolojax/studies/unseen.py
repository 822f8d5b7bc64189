"""Whether the images of a sensitivity analysis are new to the network, and to those that it was trained from."""

import json
import pathlib
from collections.abc import Iterator

from yolojax import data
from yolojax.settings import Settings

PARTS = {"trainval": {"train", "validation"}}


def check(settings: Settings) -> None:
    """Raises ValueError when training sees images of `study.sensitivity_split`: the study's, or the network's before.

    What a network was trained on is known where the config.json of its run is beside it.
    """
    wanted, source = settings.study.sensitivity_split, settings.data.source
    seen = [("data.train_split", settings.data.train_split), *_earlier(settings.model.start, source)]
    for who, split in seen:
        if _parts(wanted) & _parts(split):
            raise ValueError(
                f"study.sensitivity_split {wanted!r} has images that training saw ({who}: {split!r}); train the "
                "network and the rows with data.train_split='train', or leave study.sensitivity_amounts out"
            )


def _parts(split: str) -> set[str]:
    split = data.split_name(split)
    return PARTS.get(split, {split})


def _earlier(start: str, source: str) -> Iterator[tuple[str, str]]:
    """The runs that led to a network, the last one first, each with the split of `source` that it was trained on."""
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
            yield str(folder), config["data"]["train_split"]
        start = config["model"]["start"]
