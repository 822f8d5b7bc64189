"""What a checkpoint that comes from elsewhere must hold, checked before its arrays are read."""

import contextlib
import math
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from yolojax import darknet, network

# What Python and Orbax raise for JSON of another kind than expected, or nested without end.
UNEXPECTED = (ArithmeticError, AttributeError, KeyError, IndexError, RecursionError, TypeError, UnicodeError)


@contextlib.contextmanager
def refusing(checkpoint: pathlib.Path) -> Iterator[None]:
    """Whatever a file of another kind leads to, as one line that says what to do."""
    hush_closed_loop()
    try:
        yield
    except UNEXPECTED as error:
        text = " ".join(str(error).split())[:100]
        raise ValueError(
            f"{checkpoint} is no checkpoint of yolojax, or damaged ({type(error).__name__}: {text}); "
            "remove that folder to use the checkpoint before it"
        ) from error


def hush_closed_loop() -> None:
    """Keeps one kind of report off stderr, for the rest of the process.

    When one array cannot be read or written, Orbax raises that and closes its event loop; for each array that was on
    its way TensorStore then has a traceback printed, "Event loop is closed", which tells nothing more.
    """
    if sys.unraisablehook is not _report:
        global _report_before
        _report_before, sys.unraisablehook = sys.unraisablehook, _report


_report_before = sys.unraisablehook


def _report(unraisable: Any) -> None:
    error = unraisable.exc_value
    if not isinstance(error, RuntimeError) or str(error) != "Event loop is closed":
        _report_before(unraisable)


def check_meta(meta: Mapping[str, Any], checkpoint: pathlib.Path) -> None:
    """Raises ValueError for a `meta` without what `load_model` takes from it, or with another kind of value."""
    names = meta["names"]
    if not isinstance(meta["cfg"], str) or not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"{checkpoint}: cfg or names in meta is no text; remove that folder")
    for name in names:
        darknet.check_name(name, str(checkpoint))
    seen = meta["seen"]
    if not isinstance(seen, int) or not 0 <= seen < 2**63:
        raise ValueError(f"{checkpoint}: {str(seen)[:40]} images seen, expected an integer from 0; remove that folder")
    if not isinstance(meta["crc32"], dict):
        raise ValueError(f"{checkpoint}: no checksums in meta; remove that folder")


def check_arrays(folder: pathlib.Path, architecture: network.Architecture) -> Any:
    """The tree to restore from the `state` in `folder`: the network's part, whose arrays have the right shapes there.

    A few bytes can stand for an array of any size, so this has to be known first. Raises ValueError with each leaf that
    does not fit.
    """
    stored = ocp.StandardCheckpointHandler().metadata(folder)
    found = {name: stored[name] for name in ("params", "batch_stats")}
    network.check_variables(architecture, found)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        chunk = leaf.storage.chunk_shape if leaf.storage else leaf.shape
        if leaf.dtype != np.float32 or math.prod(chunk) > math.prod(leaf.shape):
            name = jax.tree_util.keystr(path)
            raise ValueError(f"{name} is {leaf.dtype} in chunks of {chunk}, expected float32 of {leaf.shape}")
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), found)


def check_values(variables: Mapping[str, Any], source: str) -> None:
    """Raises ValueError for a value that is not finite and for a negative variance: the network would give NaN."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(dict(variables)):
        _, layer, name = (key.key for key in path)
        bad = ~np.isfinite(leaf) if name != "var" else ~(np.isfinite(leaf) & (np.asarray(leaf) >= 0))
        if bad.any():
            what = "are not finite" if name != "var" else "are negative or not finite"
            raise ValueError(
                f"{source}: {int(bad.sum())} of {bad.size} values {what} in {layer} ({name}); "
                "use an earlier file or checkpoint of that network"
            )
