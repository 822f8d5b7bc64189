"""A network's plain arrays as safetensors, by leaf path, with its `.cfg` in the metadata."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from yolojax import darknet
from yolojax.export.card import Facts, Interface, write_card
from yolojax.export.checks import check_model
from yolojax.export.container import MAX_HEADER
from yolojax.export.format import Format, NoOptions, by_suffix
from yolojax.export.optional import require
from yolojax.files import Path, write_bytes
from yolojax.network import Architecture, Model, Variables, check_variables, leaf_paths, variable_shapes

EXPECTED = "a safetensors file that yolojax wrote"
MAX_SHOWN = 5
EXAMPLE = """
from safetensors import safe_open

with safe_open("{file}", "numpy") as file:
    cfg = file.metadata()["cfg"]
    kernel = file.get_tensor("params/conv_00/kernel")
"""


def write_safetensors(
    architecture: Architecture,
    variables: Variables,
    path: Path,
    facts: Facts = Facts(),  # noqa: B008  frozen
    *,
    seen: int = 0,
) -> None:
    """Writes every leaf under its path, `params/conv_00/kernel`, as it is (batch norm is not folded), with a card.

    The metadata holds `cfg` (text), `names` (JSON) and `seen` (images seen in training). Raises ValueError when the
    variables do not fit, or safetensors is not installed.
    """
    check_variables(architecture, variables)
    library = require("safetensors.numpy")
    metadata = {"cfg": darknet.format_cfg(architecture), "names": json.dumps(facts.names), "seen": str(seen)}
    arrays = {name: np.ascontiguousarray(leaf, np.float32) for name, leaf in leaf_paths(variables).items()}
    write_bytes(path, library.save(arrays, metadata))  # the library's own save_file lets nobody else read it
    write_card(path, architecture, variables, safetensors_interface(), facts)


def read_safetensors(path: Path) -> Model:
    """The network in a file of `write_safetensors`, with its class names and the images seen.

    The file may come from anywhere: arrays are read once their shapes are known to be those of the cfg in it. Raises
    ValueError for another file, for values and names that no network has, CfgError, and OSError.
    """
    library = require("safetensors")
    _check_header(path)
    try:
        with library.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            if "cfg" not in metadata:
                raise ValueError(f"{path}: no cfg in its metadata; expected {EXPECTED}")
            architecture = darknet.parse_cfg(metadata["cfg"], str(path))
            variables = _read_arrays(file, architecture, path)
    except library.SafetensorError as error:
        raise ValueError(f"{path}: {error}; expected a safetensors file") from None
    model = Model(architecture, variables, _parse_names(metadata, path), _parse_seen(metadata, path))
    check_model(model, str(path))
    return model


def safetensors_interface() -> Interface:
    """What is in the file: nothing in it runs, so it has no input."""
    kind = "Plain float32 arrays (safetensors) by leaf path, the .cfg in the metadata"
    return Interface(kind, (), (), EXAMPLE)


def _check_header(path: Path) -> None:
    """The library reads a header of any length before it looks at it."""
    with open(path, "rb") as file:
        prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or length > MAX_HEADER:
        raise ValueError(f"{path}: a header of {length} bytes, expected a safetensors file of at most {MAX_HEADER}")


def _read_arrays(file: Any, architecture: Architecture, path: Path) -> Variables:
    """The arrays of an open file, which are those of the architecture and no others."""
    shapes = leaf_paths(variable_shapes(architecture))
    if different := sorted(shapes.keys() ^ set(file.keys())):
        raise ValueError(f"{path}: arrays do not fit the cfg in it: missing or too many are {_shown(different)}")
    variables: dict[str, dict[str, dict[str, np.ndarray]]] = {"params": {}, "batch_stats": {}}
    for name, shape in shapes.items():
        stored = file.get_slice(name)
        if (kind := stored.get_dtype()) != "F32" or tuple(stored.get_shape()) != shape:
            raise ValueError(f"{path}: {name} is {kind} of {tuple(stored.get_shape())}, expected F32 of {shape}")
        collection, layer, leaf = name.split("/")
        variables[collection].setdefault(layer, {})[leaf] = file.get_tensor(name)
    return variables


def _parse_names(metadata: Mapping[str, str], path: Path) -> tuple[str, ...]:
    try:
        names = json.loads(metadata.get("names", "[]"))
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: names in its metadata are not a JSON list of texts; expected {EXPECTED}")
    return tuple(names)


def _parse_seen(metadata: Mapping[str, str], path: Path) -> int:
    seen = metadata.get("seen", "0")
    if not (seen.isascii() and seen.isdecimal() and len(seen) < 20):
        raise ValueError(f"{path}: {seen[:40]!r} images seen in its metadata, expected an integer from 0")
    return int(seen)


def _shown(names: Iterable[str]) -> str:
    """The first few names; those of a file from elsewhere may be any text."""
    names = [name if name.isprintable() and len(name) <= 60 else f"{name[:40]!r}" for name in names]
    more = [f"and {len(names) - MAX_SHOWN} more"] if len(names) > MAX_SHOWN else []
    return ", ".join(names[:MAX_SHOWN] + more)


def _write(path: pathlib.Path, model: Model, facts: Facts, _: NoOptions) -> pathlib.Path:
    write_safetensors(model.architecture, model.variables, path, facts, seen=model.seen)
    return path


FORMAT = Format(
    "safetensors",
    "a safetensors file",
    _write,
    recognises=by_suffix(".safetensors"),
    read=lambda path, _: read_safetensors(path),
    suffix=".safetensors",
)
