"""Darknet's `.names` files: one class name per line."""

import pathlib

from yolojax.darknet.files import Path


def read_names(path: Path) -> tuple[str, ...]:
    """The class names in the order of their indices.

    Raises ValueError for an empty file, and for an empty or repeated name, since an index would then be wrong.
    """
    names = [line.strip() for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ValueError(f"{path}: no class names, expected one per line")
    for line, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{path}:{line}: an empty line, expected a class name")
        if names.index(name) != line - 1:
            raise ValueError(f"{path}:{line}: {name!r} was already on line {names.index(name) + 1}")
    return tuple(names)
