"""The kinds of data that `open_dataset` knows: one entry for each. `docs/extending.md` adds one."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

import tensorflow_datasets as tfds

from yolojax.data import coco, devkit, shapes, unlabelled, voc, yolo
from yolojax.data.records import Records
from yolojax.data.splits import SPLITS, parts_of, split_name

Build = Callable[[str, str, Sequence[str] | None, str | None], Sequence[tfds.core.DatasetBuilder]]
"""(argument, split, names, data_dir) -> the TFDS builders whose records together are the split.

`argument` is what follows the colon, "" for a source that takes none; `names` the classes that the caller wants, in
their order; `data_dir` where TFDS keeps prepared data, None for its default. A trainval that a builder does not have is
read as what it has of train and validation. Raises ValueError for what a user can mend.
"""

Read = Callable[[str, str], tuple[Records, str]]
"""(argument, split) -> records without objects, read from where they are, and what else a description says of them.

Raises ValueError for what a user can mend.
"""


@dataclasses.dataclass(frozen=True)
class Source:
    """A kind of data: labelled with `build`, without labels with `read`.

    Attributes:
      name: what a user writes.
      description: a few words for --help.
      build: makes the TFDS builders of a split.
      read: in place of it, gives the images of a split; the caller's names are its classes.
      check: raises ValueError for an argument that cannot be right, without reading much; `find_splits` by default.
      find_splits: argument -> the splits that are there, without reading much, where that depends on the argument; a
        trainval need not be among them where train is.
      argument: what a user writes after a colon, such as FOLDER; "" when nothing.
      splits: those that there can be.
    """

    name: str
    description: str
    build: Build | None = None
    argument: str = ""
    splits: tuple[str, ...] = SPLITS
    read: Read | None = None
    check: Callable[[str], object] | None = None
    find_splits: Callable[[str], Sequence[str]] | None = None

    def __post_init__(self) -> None:
        if (self.build is None) == (self.read is None):
            raise ValueError(f"source {self.name!r} takes one of build and read")

    @property
    def form(self) -> str:
        """The name with its argument, as in `devkit:FOLDER`."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source("voc2007", "PASCAL VOC", functools.partial(voc.builders, ("2007",))),
        Source(
            "voc2012",
            "its test annotations are not public",
            functools.partial(voc.builders, ("2012",)),
            splits=("train", "validation", "trainval"),
        ),
        Source("voc0712", "both; the test split is VOC2007's", functools.partial(voc.builders, ("2007", "2012"))),
        Source(
            "devkit",
            "a folder in VOC's layout",
            devkit.builders,
            argument="FOLDER",
            find_splits=devkit.find_splits,
        ),
        Source(
            "yolo",
            "a folder with YOLO's text labels, or its data.yaml",
            yolo.builders,
            argument="PATH",
            find_splits=yolo.find_splits,
        ),
        Source(
            "coco",
            "a folder with COCO's JSON, or the file",
            coco.builders,
            argument="PATH",
            check=coco.find_files,
            find_splits=coco.find_splits,
        ),
        Source(
            "images",
            "any pictures, without labels",
            read=unlabelled.read_folder,
            argument="FOLDER",
            check=unlabelled.list_pictures,
        ),
        Source("shapes", "generated", shapes.builders),
    )
}
"""By name, in the order of --help."""


def describe_sources() -> str:
    """All sources in one line, for --help."""
    return _either([f"{source.form} ({source.description})" for source in SOURCES.values()])


def find_source(spec: str, split: str) -> tuple[Source, str]:
    """The source that `name` or `name:argument` asks for, and the argument.

    Raises ValueError for an unknown source or split, for an argument that is missing or too many, and for a split that
    is not there, with those that are.
    """
    split = split_name(split)
    source, argument = _parse(spec)
    if split not in source.splits:
        raise ValueError(f"split {split!r} of {source.form} ({source.description}), expected {_either(source.splits)}")
    if source.find_splits:
        found = source.find_splits(argument)
        if not parts_of(split, found):
            raise ValueError(f"{spec} has no {split} split; it has {', '.join(found) or 'none that lists an image'}")
    return source, argument


def has_labels(spec: str) -> bool:
    """Whether the source that `spec` asks for has labels. Raises ValueError for an unknown one."""
    return _parse(spec)[0].build is not None


def find_splits(spec: str) -> tuple[str, ...]:
    """The splits that the data have. Raises ValueError for an unknown source, and an argument that cannot be right."""
    source, argument = _parse(spec)
    return tuple(source.find_splits(argument)) if source.find_splits else source.splits


def check_source(spec: str, *splits: str) -> None:
    """Raises ValueError for an unknown source, an argument that cannot be right, and one of `splits` that is not there.

    A folder that is missing is such an argument. Little is read.
    """
    source, argument = _parse(spec)
    if check := source.check or source.find_splits:
        check(argument)
    for split in splits:
        find_source(spec, split)


def _parse(spec: str) -> tuple[Source, str]:
    name, _, argument = spec.partition(":")
    source = SOURCES.get(name)
    if source is None or bool(argument) != bool(source.argument):
        forms = _either([source.form for source in SOURCES.values()])
        about = "; say what it holds, as in devkit:" + spec if pathlib.Path(spec).exists() else ""
        raise ValueError(f"data {spec!r}, expected {forms}{about}")
    return source, argument


def _either(choices: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
