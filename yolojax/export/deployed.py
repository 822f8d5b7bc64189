"""What a file for a runtime says of its network: the .cfg, by which its head is decoded, and the class names."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from yolojax import darknet
from yolojax.export.optional import require, require_openvino
from yolojax.network import Architecture

DEPLOYED = (".onnx", ".xml")
CFG, NAMES = "yolojax.cfg", "yolojax.names"


@dataclasses.dataclass(frozen=True)
class Deployed:
    """The network in a file that is run as it is: its layers, with the size of its images, and its class names."""

    architecture: Architecture
    names: tuple[str, ...]


def describe(architecture: Architecture, names: Sequence[str]) -> dict[str, str]:
    """The entries that `read_deployed` reads."""
    return {CFG: darknet.format_cfg(architecture), NAMES: "\n".join(names)}


def read_deployed(path: pathlib.Path) -> Deployed:
    """Of an ONNX file, or the .xml of an OpenVINO network, that yolojax wrote.

    Raises ValueError for another one, one that suppresses boxes itself, and where the package that reads it is absent.
    """
    found, outputs = _read_onnx(path) if path.suffix == ".onnx" else _read_openvino(path)
    if CFG not in found or NAMES not in found:
        raise ValueError(f"{path} does not say which layers it has, so its head cannot be decoded; convert it anew")
    if "head" not in outputs:
        raise ValueError(
            f"{path} suppresses boxes itself, with thresholds of its own; convert it without --nms to measure it"
        )
    return Deployed(darknet.parse_cfg(found[CFG], str(path)), tuple(found[NAMES].splitlines()))


def _read_onnx(path: pathlib.Path) -> tuple[Mapping[str, str], set[str]]:
    onnx, protobuf = require("onnx"), require("google.protobuf.message")
    try:
        model = onnx.load(path)
    except protobuf.DecodeError:
        raise ValueError(f"{path} is not an ONNX file") from None
    return {entry.key: entry.value for entry in model.metadata_props}, {output.name for output in model.graph.output}


def _read_openvino(path: pathlib.Path) -> tuple[Mapping[str, str], set[str]]:
    openvino = require_openvino()
    try:
        model = openvino.Core().read_model(path)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be read by OpenVINO, with its .bin beside it: {error}") from None
    paths = {key: key.split(".") for key in (CFG, NAMES)}
    found = {key: model.get_rt_info(path).astype(str) for key, path in paths.items() if model.has_rt_info(path)}
    return found, {name for output in model.outputs for name in output.get_names()}
