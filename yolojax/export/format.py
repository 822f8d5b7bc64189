"""What a format is: how its files are written, read and recognised, and the options that it has of its own."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from yolojax.export.card import Facts
from yolojax.files import Path
from yolojax.network import Model

Choice = bool | int | float | str | Sequence[str]
C = TypeVar("C", bound=Choice)


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """Of a format that is written in one way only."""


@dataclasses.dataclass(frozen=True)
class Format:
    """One entry of `FORMATS`.

    Attributes:
      name: what `--to` calls it.
      what: what messages call one of its files, with its article.
      write: `write(path, model, facts, options)` writes the network, and the card where there is one, and returns the
        path that it wrote; ValueError for what it cannot hold.
      recognises: whether a path that exists is one of its files.
      read: `read(path, cfg)` gives the network; `cfg` is the .cfg that the user named, for files that hold none. None
        for an output. `open_model` then checks values and names.
      options: a frozen dataclass whose fields are made by `option`; an instance goes to `write`.
      open_source: `open_source(source, cfg, options)` opens what is to be converted where an option says how; None
        from it, as without it, stands for `open_model`.
      folder: whether it is a folder.
      suffix: what settles this format where a file is written by its name alone; empty for none.
    """

    name: str
    what: str
    write: Callable[[pathlib.Path, Model, Facts, Any], pathlib.Path]
    recognises: Callable[[pathlib.Path], bool]
    read: Callable[[pathlib.Path, Path | None], Model] | None = None
    options: type = NoOptions
    open_source: Callable[[str, str, Any], Model | None] | None = None
    folder: bool = False
    suffix: str = ""


@dataclasses.dataclass(frozen=True)
class Option:
    """One option, and the names of the formats that have it; `choices` is empty where any value will do."""

    name: str
    default: Choice
    help: str
    choices: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()


def option(default: C, text: str, *, choices: tuple[str, ...] = ()) -> C:
    """A field of a format's options: the default settles the kind of flag, `text` is what --help says."""
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices})


def by_suffix(suffix: str) -> Callable[[pathlib.Path], bool]:
    """A `recognises` for files that are known by their name's end."""
    return lambda path: path.suffix == suffix and path.is_file()
