"""Writing a file so that it is whole or absent."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

Path = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[pathlib.Path]:
    """A path beside `path`, with the same suffix, to write to; it takes the place of `path` when the block ends well.

    When the block raises, what was written is deleted and `path` stays as it was.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
