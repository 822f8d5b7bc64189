"""A network as OpenVINO's intermediate representation: an .xml with its layers, and the .bin beside it."""

import os
import pathlib
import tempfile

from yolojax.export.card import Facts, Interface, write_card
from yolojax.export.deployed import describe
from yolojax.export.format import Format, by_suffix
from yolojax.export.onnx import onnx_interface, onnx_model
from yolojax.export.optional import require_openvino
from yolojax.export.suppression import DetectionOptions, Suppression
from yolojax.files import Path
from yolojax.network import Architecture, Model, Variables

EXAMPLE = """
import numpy as np
import openvino

core = openvino.Core()
network = core.compile_model(core.read_model("{{file}}"), "CPU", {{{{"INFERENCE_PRECISION_HINT": "f32"}}}})
images = np.zeros({shape}, np.float32)
outputs = network(images)
{outputs} = (outputs[name] for name in {names})
"""


def write_openvino(
    architecture: Architecture,
    variables: Variables,
    path: Path,
    facts: Facts = Facts(),  # noqa: B008  frozen
    *,
    suppression: Suppression | None = None,
) -> None:
    """Writes `path`, an .xml, the .bin of the same name, and a card: what `onnx_model` makes, in float32.

    Raises ValueError where openvino or onnx is not installed, and for another suffix.
    """
    openvino = require_openvino()
    path = pathlib.Path(path)
    if path.suffix != ".xml":
        raise ValueError(f"{path}: OpenVINO finds the .bin by the name of the .xml; expected a name that ends in .xml")
    model = openvino.Core().read_model(onnx_model(architecture, variables, suppression=suppression).SerializeToString())
    for key, value in describe(architecture, facts.names).items():
        model.set_rt_info(value, key.split("."))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}") as folder:
        whole = pathlib.Path(folder) / path.name
        openvino.save_model(model, whole, compress_to_fp16=False)
        os.replace(whole.with_suffix(".bin"), path.with_suffix(".bin"))
        os.replace(whole, path)
    write_card(path, architecture, variables, openvino_interface(architecture, suppression), facts)


def openvino_interface(architecture: Architecture, suppression: Suppression | None = None) -> Interface:
    """What goes in and comes out of the network; its inputs and outputs are those of the ONNX file."""
    onnx = onnx_interface(architecture, suppression)
    names = [tensor.name for tensor in onnx.outputs]
    left = ", ".join(names) + ("," if len(names) == 1 else "")
    kind = onnx.kind.replace("An ONNX graph (opset 17)", "OpenVINO's .xml and .bin")
    shape = (1, *onnx.inputs[0].shape[1:])
    return Interface(kind, onnx.inputs, onnx.outputs, EXAMPLE.format(shape=shape, outputs=left, names=tuple(names)))


def _write(path: pathlib.Path, model: Model, facts: Facts, options: DetectionOptions) -> pathlib.Path:
    write_openvino(model.architecture, model.variables, path, facts, suppression=options.suppression)
    return path


FORMAT = Format(
    "openvino", "an OpenVINO .xml", _write, recognises=by_suffix(".xml"), options=DetectionOptions, suffix=".xml"
)
