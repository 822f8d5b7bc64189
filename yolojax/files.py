"""Reading a file of bounded size, and writing one so that it is whole or absent."""

import contextlib
import json
import os
import pathlib
import re
import stat
from collections.abc import Iterator
from typing import Any

Path = str | os.PathLike[str]
# A JSON object that this package wrote and reads back.
Json = dict[str, Any]


def read_bytes(
    path: Path, limit: int, expected: str, error: type[ValueError] = ValueError, *, where: str = ""
) -> bytes:
    """The bytes of a file; never more than `limit` + 1 are read, nor memory taken for more than it has.

    Raises OSError, and `error` for a file that is longer, for a folder and for a pipe; the message starts with `where`
    (the path by default) and ends in `expected`.
    """
    where = where or os.fspath(path)
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file, expected {expected}")
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise error(f"{where}: {what}, expected {expected}")
    data = b""
    if status.st_size <= limit:
        with open(path, "rb") as file:
            data = file.read(status.st_size + 1)
            if len(data) > status.st_size:  # it grows, or is of a kind that gives no size
                data += file.read(limit + 1 - len(data))
    if max(status.st_size, len(data)) > limit:
        raise error(f"{where}: more than {limit} bytes, expected {expected}")
    return data


def read_text(
    path: Path, limit: int, expected: str, error: type[ValueError] = ValueError, *, comments: bytes = b""
) -> str:
    """`read_bytes` as text, without a byte order mark; `error` names the line of the first byte that is not UTF-8.

    What follows one of the signs `comments` in a line is left out; it may be in any encoding.
    """
    data = read_bytes(path, limit, expected, error, where=f"{path}:1")
    if comments:
        data = re.sub(b"[" + re.escape(comments) + b"][^\n]*", b"", data)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as bad:
        line = data.count(b"\n", 0, bad.start) + 1
        raise error(f"{path}:{line}: byte {data[bad.start]:#04x}, expected UTF-8 text") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[pathlib.Path]:
    """A path beside `path`, with the same suffix, to write to; it takes the place of `path` when the block ends well.

    When the block raises, what was written is deleted and `path` stays as it was. Raises FileNotFoundError, before
    anything is written, where the folder of `path` is missing.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: no folder {path.parent} to write it in")
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Writes bytes whole or not at all."""
    with replacing(path) as beside:
        beside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all; lines end in `\\n` on every system."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: object) -> None:
    """Writes JSON values whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")
