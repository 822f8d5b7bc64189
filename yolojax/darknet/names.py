"""Darknet's `.names` files: one class name per line."""

from yolojax.files import Path, read_text

MAX_BYTES = 1 << 20
MAX_CHARACTERS = 100


def read_names(path: Path) -> tuple[str, ...]:
    """The class names in the order of their indices.

    Raises ValueError for an empty file, and for an empty or repeated name, since an index would then be wrong; for a
    file of more than `MAX_BYTES`, for text that is not UTF-8, and for a name that `check_name` refuses.
    """
    text = read_text(path, MAX_BYTES, "a file with one class name per line")
    names = [line.strip() for line in text.splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ValueError(f"{path}: no class names, expected one per line")
    first: dict[str, int] = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise ValueError(f"{path}:{line}: an empty line, expected a class name")
        check_name(name, f"{path}:{line}")
        if first.setdefault(name, line) != line:
            raise ValueError(f"{path}:{line}: {name!r} was already on line {first[name]}")
    return tuple(names)


def check_name(name: str, where: str) -> None:
    """Raises ValueError for a name that a line of a `.names` file, a log or a picture cannot show."""
    if len(name) > MAX_CHARACTERS or not name.isprintable():
        raise ValueError(
            f"{where}: {name[:40]!r}, expected a class name of at most {MAX_CHARACTERS} printable characters"
        )
