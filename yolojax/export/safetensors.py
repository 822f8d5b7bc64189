"""A network's plain arrays as safetensors, by leaf path, with its `.cfg` in the metadata."""

import json
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from yolojax import darknet
from yolojax.export.card import Facts, Interface, write_card
from yolojax.export.optional import require
from yolojax.files import Path, replacing
from yolojax.network import Architecture, Variables, check_variables, variable_shapes

EXAMPLE = """
from safetensors import safe_open

with safe_open("{file}", "numpy") as file:
    cfg = file.metadata()["cfg"]
    kernel = file.get_tensor("params/conv_00/kernel")
"""


def write_safetensors(
    architecture: Architecture,
    variables: Mapping[str, Any],
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
    arrays = {name: np.ascontiguousarray(leaf, np.float32) for name, leaf in _flatten(variables).items()}
    with replacing(path) as beside:
        library.save_file(arrays, beside, metadata)
    write_card(path, architecture, variables, safetensors_interface(), facts)


def read_safetensors(path: Path) -> tuple[Architecture, Variables]:
    """The pair in a file of `write_safetensors`. Raises ValueError for another file, CfgError, and OSError."""
    library = require("safetensors")
    try:
        with library.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except library.SafetensorError as error:
        raise ValueError(f"{path}: {error}; expected a safetensors file") from None
    if "cfg" not in metadata:
        raise ValueError(f"{path}: no cfg in its metadata; expected a safetensors file that yolojax wrote")
    architecture = darknet.parse_cfg(metadata["cfg"], str(path))
    shapes = variable_shapes(architecture)
    if different := sorted(arrays.keys() ^ _flatten(shapes).keys()):
        raise ValueError(f"{path}: arrays do not fit the cfg in it: missing or too many are {', '.join(different)}")
    variables: Variables = jax.tree_util.tree_map_with_path(lambda p, _: arrays[_name(p)], shapes, is_leaf=_is_shape)
    check_variables(architecture, variables)
    return architecture, variables


def safetensors_interface() -> Interface:
    """What is in the file: nothing in it runs, so it has no input."""
    kind = "Plain float32 arrays (safetensors) by leaf path, the .cfg in the metadata"
    return Interface(kind, (), (), EXAMPLE)


def _flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=_is_shape)}


def _name(path: tuple[Any, ...]) -> str:
    return "/".join(key.key for key in path)


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple)
