"""An ONNX network in int8: weights and activations, calibrated on real images."""

import contextlib
import io
import pathlib
import tempfile
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from yolojax.export.optional import require

if TYPE_CHECKING:
    import onnx

# One value in 100,000 may lie outside an activation's range; the others then have finer steps. On four networks the
# head's error was smaller than with minimum and maximum on each, and than with 99.99 on three.
PERCENTILE = 99.999
METHOD = f"{PERCENTILE}% of an activation's values in its range"


def quantize_onnx(model: bytes, images: Float32[np.ndarray, "count channels height width"]) -> bytes:
    """The network with int8 convolutions: QDQ nodes, which ONNX Runtime and OpenVINO turn into int8 kernels.

    Weights are int8, symmetric, with a scale for each filter; activations uint8, with a range for each tensor. The
    first convolution and the last stay in float32.

    Args:
      model: an ONNX file that `onnx_model` made, without suppression.
      images: what it is calibrated on; in 0..1, RGB or grey.

    Returns:
      An ONNX file with the same input, output and metadata.

    Raises:
      ValueError: no image, fewer than three convolutions, or onnxruntime is not installed.
    """
    onnx, tools = require("onnx"), require("onnxruntime.quantization")
    if not len(images):
        raise ValueError("no image to calibrate on, expected at least one")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        plain, prepared, out = (pathlib.Path(folder) / f"{name}.onnx" for name in ("plain", "prepared", "int8"))
        plain.write_bytes(model)
        tools.quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        tools.quantize_static(
            prepared,
            out,
            _Images(images),
            quant_format=tools.QuantFormat.QDQ,
            per_channel=True,
            weight_type=tools.QuantType.QInt8,
            activation_type=tools.QuantType.QUInt8,
            calibrate_method=tools.CalibrationMethod.Percentile,
            nodes_to_exclude=_in_float(onnx.load(prepared).graph),
            # One image after the other: otherwise all activations of all images are kept in memory.
            extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": 1},
        )
        quantized = onnx.load(out)
    props = {entry.key: entry.value for entry in onnx.load_from_string(model).metadata_props}
    onnx.helper.set_model_props(quantized, props)
    data: bytes = quantized.SerializeToString()
    return data


def _in_float(graph: "onnx.GraphProto") -> list[str]:
    """What comes before the second convolution, and the last one with what follows.

    Measured by the head's error: in int8 the first alone doubled it on a pruned network. The last costs little time.
    The pool behind the first goes with it: alone between float and int8 it is slow in ONNX Runtime.
    """
    kinds = [node.op_type for node in graph.node]
    convolutions = [index for index, kind in enumerate(kinds) if kind == "Conv"]
    if len(convolutions) < 3:
        raise ValueError(f"{len(convolutions)} convolutions, of which the first and the last stay in float: no int8")
    second, last = convolutions[1], convolutions[-1]
    return [node.name for node in [*graph.node[:second], *graph.node[last:]]]


class _Images:
    """What `quantize_static` reads: a `CalibrationDataReader`, which is known by its methods."""

    def __init__(self, images: np.ndarray):
        self._images = images
        self.set_range(0, len(images))

    def __len__(self) -> int:
        return len(self._images)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._images[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._left, None)
        return None if image is None else {"images": image[None]}
