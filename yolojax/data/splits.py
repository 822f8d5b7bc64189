"""The splits that a data set may have, by the names that people use."""

import re
from collections.abc import Collection

SPLITS = ("train", "validation", "trainval", "test")
ALIASES = {"val": "validation", "valid": "validation"}
# What files and folders are called: train, val2017, valid, test_1.
WORD = re.compile(r"(train|trainval|validation|valid|val|test)(?:[-_]?\d+)?")


def split_name(split: str) -> str:
    """The split by its full name, `validation` for `val`. Raises ValueError for one that no source has."""
    name = ALIASES.get(split, split)
    if name not in SPLITS:
        raise ValueError(f"split {split!r}, expected one of {', '.join(SPLITS)}")
    return name


def split_of(word: str) -> str | None:
    """The split that a file or folder of that name holds, as `train2017` holds `train`; None for another name."""
    match = WORD.fullmatch(word.lower())
    return split_name(match[1]) if match else None


def parts_of(split: str, available: Collection[str]) -> list[str]:
    """The splits that make up `split`: itself; for a trainval that is not there, what there is of its two parts.

    Empty where there is nothing.
    """
    if split == "trainval" and "trainval" not in available:
        return [part for part in ("train", "validation") if part in available]
    return [split] if split in available else []
