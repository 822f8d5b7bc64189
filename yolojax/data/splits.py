"""The splits that a data set may have, by the names that people use."""

SPLITS = ("train", "validation", "trainval", "test")
ALIASES = {"val": "validation", "valid": "validation"}


def split_name(split: str) -> str:
    """The split by its full name, `validation` for `val`. Raises ValueError for one that no source has."""
    name = ALIASES.get(split, split)
    if name not in SPLITS:
        raise ValueError(f"split {split!r}, expected one of {', '.join(SPLITS)}")
    return name
