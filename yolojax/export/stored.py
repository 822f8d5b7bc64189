"""What every Orbax checkpoint of yolojax holds, of a network alone or of a run, and its checks.

A checkpoint folder holds one folder per step, each with `state` (arrays) and `meta` (JSON: the .cfg text, the class
names, what the caller adds). One may come from elsewhere, so what it must hold is checked before its arrays are read.
"""

import contextlib
import math
import pathlib
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import TypedDict

import jax
import numpy as np
import orbax.checkpoint as ocp

from yolojax import darknet, network
from yolojax.files import Json, Path

VERSION = 1
COLLECTIONS = ("params", "batch_stats")
# What Python and Orbax raise for JSON of another kind than expected, or nested without end.
UNEXPECTED = (ArithmeticError, AttributeError, KeyError, IndexError, RecursionError, TypeError, UnicodeError)


class Meta(TypedDict):
    """The JSON beside the arrays: `crc32` by leaf of the network, `extra` as the writer likes."""

    format: int
    cfg: str
    names: list[str]
    seen: int
    extra: Json
    crc32: dict[str, int]


def make_meta(
    architecture: network.Architecture,
    names: tuple[str, ...],
    seen: int,
    tree: Mapping[str, object],
    extra: Mapping[str, object],
) -> Meta:
    """The `meta` of a checkpoint whose `state` is `tree`: the network's collections, and more where it is a run's."""
    return {
        "format": VERSION,
        "cfg": darknet.format_cfg(architecture),
        "names": list(names),
        "seen": seen,
        "extra": dict(extra),
        "crc32": _checksums(tree),
    }


def read_meta(manager: ocp.CheckpointManager, step: int) -> Meta:
    """The `meta` of a step. Raises ValueError where it lacks what a network needs, or has another kind of value."""
    with reading(manager.directory, step):
        meta = manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]
    if meta.get("format") != VERSION:
        raise ValueError(f"{manager.directory}: checkpoint format {meta.get('format')!r}, expected {VERSION}")
    _check_meta(meta, pathlib.Path(manager.directory) / str(step))
    return meta


def check_arrays(
    folder: pathlib.Path, architecture: network.Architecture
) -> dict[str, dict[str, dict[str, jax.ShapeDtypeStruct]]]:
    """The tree to restore from the `state` in `folder`: the network's part, whose arrays have the right shapes there.

    A few bytes can stand for an array of any size, so this has to be known first. Raises ValueError with each leaf that
    does not fit.
    """
    stored = ocp.StandardCheckpointHandler().metadata(folder)
    found = {name: stored[name] for name in COLLECTIONS}
    network.check_variables(architecture, found)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        chunk = leaf.storage.chunk_shape if leaf.storage else leaf.shape
        if leaf.dtype != np.float32 or math.prod(chunk) > math.prod(leaf.shape):
            name = jax.tree_util.keystr(path)
            raise ValueError(f"{name} is {leaf.dtype} in chunks of {chunk}, expected float32 of {leaf.shape}")
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), found)


def check_checksums(tree: Mapping[str, object], meta: Meta) -> None:
    """Raises ValueError with the first leaf whose bytes are not those that were saved."""
    if wrong := sorted(meta["crc32"].items() ^ _checksums(tree).items()):
        raise ValueError(f"checksum of {wrong[0][0]} is wrong")


@contextlib.contextmanager
def refusing(checkpoint: pathlib.Path) -> Iterator[None]:
    """Whatever a file of another kind leads to, as one line that says what to do."""
    hush_closed_loop()
    try:
        yield
    except UNEXPECTED as error:
        text = " ".join(str(error).split())[:100]
        raise ValueError(
            f"{checkpoint} is not a checkpoint of yolojax, or is damaged ({type(error).__name__}: {text}); "
            "remove that folder to use the checkpoint before it"
        ) from error


@contextlib.contextmanager
def reading(folder: Path, step: int) -> Iterator[None]:
    """What Orbax raises about a damaged checkpoint, as one line that says what to do."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder}/{step} is damaged ({_brief(error)}); remove that folder to use the checkpoint before it"
        ) from error


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What Orbax raises when it cannot write, as one line."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise OSError(
            f"{folder}: a checkpoint could not be written ({_brief(error)}); older ones are kept. "
            "Free or change the disk; the same command resumes"
        ) from error


def hush_closed_loop() -> None:
    """Keeps one kind of report off stderr, for the rest of the process.

    When one array cannot be read or written, Orbax raises that and closes its event loop; for each array that was on
    its way TensorStore then has a traceback printed, "Event loop is closed", which says nothing more.
    """
    if sys.unraisablehook is not _report:
        global _report_before
        _report_before, sys.unraisablehook = sys.unraisablehook, _report


_report_before = sys.unraisablehook


def _report(unraisable: "sys.UnraisableHookArgs") -> None:
    error = unraisable.exc_value
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        _report_before(unraisable)


def _check_meta(meta: Mapping[str, object], checkpoint: pathlib.Path) -> None:
    names = meta["names"]
    if not isinstance(meta["cfg"], str) or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"{checkpoint}: cfg or names in meta is not text; remove that folder")
    for name in names:
        darknet.check_name(name, str(checkpoint))
    seen = meta["seen"]
    if not isinstance(seen, int) or not 0 <= seen < 2**63:
        raise ValueError(f"{checkpoint}: {str(seen)[:40]} images seen, expected an integer from 0; remove that folder")
    if not isinstance(meta["crc32"], dict):
        raise ValueError(f"{checkpoint}: no checksums in meta; remove that folder")


def _checksums(tree: Mapping[str, object]) -> dict[str, int]:
    """{leaf: CRC-32 of its bytes} of the network; Orbax does not notice every changed byte."""
    return {
        jax.tree_util.keystr(path): zlib.crc32(np.ascontiguousarray(leaf))
        for path, leaf in jax.tree_util.tree_leaves_with_path({name: tree[name] for name in COLLECTIONS})
    }


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{text[:60]}...{text[-90:]}"
