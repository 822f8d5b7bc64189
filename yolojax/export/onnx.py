"""A network as an ONNX graph, opset 17: the head alone, or with its detections decoded and suppressed."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, assert_never

import numpy as np

from yolojax.export.card import Facts, Interface, Tensor, head, images, write_card
from yolojax.export.deployed import describe
from yolojax.export.format import Format, by_suffix, option
from yolojax.export.optional import require
from yolojax.export.suppression import DetectionOptions, Suppression
from yolojax.files import Path, write_bytes
from yolojax.network import (
    Architecture,
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    Layer,
    Maxpool,
    Model,
    Region,
    Reorg,
    Route,
    Softmax,
    Variables,
    fold_batch_norm,
    walk,
)
from yolojax.network.activations import LEAKY_SLOPE, RAMP_SLOPE, RELIE_SLOPE, SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8  # a pair of ONNX 1.12; runtimes refuse an IR that is newer than they are

EXAMPLE = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{{file}}", providers=["CPUExecutionProvider"])
images = np.zeros({shape}, np.float32)
{outputs} = session.run(None, {{{{"images": images}}}})
"""


def write_onnx(
    architecture: Architecture,
    variables: Variables,
    path: Path,
    facts: Facts = Facts(),  # noqa: B008  frozen
    *,
    suppression: Suppression | None = None,
) -> None:
    """Writes `onnx_model` as a file, with its card."""
    model = onnx_model(architecture, variables, suppression=suppression, names=facts.names)
    write_bytes(path, model.SerializeToString())
    write_card(path, architecture, variables, onnx_interface(architecture, suppression), facts)


def onnx_model(
    architecture: Architecture,
    variables: Variables,
    *,
    suppression: Suppression | None = None,
    names: Sequence[str] = (),
) -> "onnx.ModelProto":
    """An `onnx.ModelProto` that passes ONNX's checker; batch norm is folded, the batch dimension is free.

    Args:
      architecture: the network; images have the size of its `[net]`.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      suppression: with it, the graph decodes the head and suppresses boxes as `detection.decode` and `nms` do.
      names: of the classes; they and the .cfg go into the model's metadata.

    Returns:
      A graph of `images` (batch, channels, height, width) float32 in 0..1, RGB or grey. Its output is `head` (batch,
      A*(5+C), rows, columns), or with `suppression`, for the K detections of the whole batch: `boxes` (K, 4) left, top,
      right, bottom relative to the image and clamped to it, `scores` (K,), `labels` (K,) int64, and `image` (K,) int64,
      the image's place in the batch; ordered by image, then class, then score.

    Raises:
      ValueError: variables that do not fit, no region layer to decode, or onnx is not installed.
    """
    onnx = require("onnx")
    graph = _Graph(onnx)
    _add_layers(graph, architecture, fold_batch_norm(architecture, variables))
    if suppression is not None:
        _add_detections(graph, architecture, suppression)
    interface = onnx_interface(architecture, suppression)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            graph.nodes,
            "yolojax",
            [graph.describe(tensor) for tensor in interface.inputs],
            [graph.describe(tensor) for tensor in interface.outputs],
            graph.constants,
        ),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="yolojax",
    )
    onnx.helper.set_model_props(model, describe(architecture, names))
    onnx.checker.check_model(model, full_check=True)
    return model


def with_detections(model: bytes, architecture: Architecture, suppression: Suppression) -> bytes:
    """An ONNX file that gives the head, with decoding and suppression after it, as `onnx_model` adds them."""
    onnx = require("onnx")
    graph, whole = _Graph(onnx), onnx.load_from_string(model)
    _add_detections(graph, architecture, suppression)
    whole.graph.node.extend(graph.nodes)
    whole.graph.initializer.extend(graph.constants)
    del whole.graph.output[:]
    whole.graph.output.extend(graph.describe(tensor) for tensor in onnx_interface(architecture, suppression).outputs)
    data: bytes = whole.SerializeToString()
    return data


def onnx_interface(architecture: Architecture, suppression: Suppression | None = None) -> Interface:
    """What goes in and comes out of `onnx_model`."""
    kind = "An ONNX graph (opset 17), batch norm folded, any batch size"
    outputs: tuple[Tensor, ...] = (head(architecture),)
    if suppression is not None:
        kind += f"; detections decoded and suppressed ({suppression})"
        outputs = (
            Tensor("boxes", ("found", 4), "float32", "left, top, right, bottom; relative to the image, clamped to it"),
            Tensor("scores", ("found",), "float32", "of each box"),
            Tensor("labels", ("found",), "int64", "class of each box, from 0"),
            Tensor("image", ("found",), "int64", "whose box it is: the image's place in the batch"),
        )
    names = ", ".join(tensor.name for tensor in outputs) + ("," if len(outputs) == 1 else "")
    (image,) = inputs = (images(architecture),)
    example = EXAMPLE.format(shape=(1, *image.shape[1:]), outputs=names)
    return Interface(kind, inputs, outputs, example)


class _Graph:
    """Nodes and constants while they are collected; a value is known by its name."""

    def __init__(self, library: ModuleType):
        self._onnx = library
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, inputs: list[str], name: str, **attributes: int | float | list[int]) -> str:
        """Adds a node with one output, `name`, and returns that."""
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def split(self, value: str, sizes: list[int], axis: int, names: list[str]) -> list[str]:
        """Adds a split of `value` into parts of `sizes` and returns their names."""
        sizes_name = self.constant(f"{names[0]}/sizes", np.array(sizes, np.int64))
        self.nodes.append(self._onnx.helper.make_node("Split", [value, sizes_name], names, axis=axis))
        return names

    def reshape(self, value: str, shape: list[int], name: str) -> str:
        """Adds a reshape; 0 in `shape` keeps a dimension."""
        return self.add("Reshape", [value, self.constant(f"{name}/shape", np.array(shape, np.int64))], name)

    def describe(self, tensor: Tensor) -> "onnx.ValueInfoProto":
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        return self._onnx.helper.make_tensor_value_info(tensor.name, kind, tensor.shape, tensor.meaning)


def _add_layers(graph: _Graph, architecture: Architecture, folded: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Adds the network, from the value `images` to the value `head`, both NCHW."""

    def visit(index: int, layer: Layer, sources: list[str]) -> str:
        name = architecture.name(index)
        match layer:
            case Convolutional():
                return _add_convolution(graph, layer, sources[0], name, folded[name])
            case Maxpool():
                before = layer.padding // 2
                after = layer.padding - before
                return graph.add(
                    "MaxPool",
                    sources,
                    name,
                    kernel_shape=[layer.size] * 2,
                    strides=[layer.stride] * 2,
                    pads=[before, before, after, after],
                )
            case Route():
                return graph.add("Concat", sources, name, axis=1)
            case Reorg():
                return _add_reorg(graph, layer.stride, sources[0], name, architecture.shapes[index])
            case Avgpool():
                return graph.add("GlobalAveragePool", sources, name)
            case Softmax():
                return graph.add("Softmax", sources, name, axis=1)
            case Region() | Dropout() | Cost():
                return sources[0]
            case _:
                assert_never(layer)

    graph.add("Identity", [walk(architecture, "images", visit)[-1]], "head")


def _add_convolution(
    graph: _Graph, layer: Convolutional, source: str, name: str, folded: Mapping[str, np.ndarray]
) -> str:
    kernel = graph.constant(f"{name}/kernel", folded["kernel"].transpose(3, 2, 0, 1))  # OIHW
    bias = graph.constant(f"{name}/bias", folded["bias"])
    linear = layer.activation == "linear"
    value = graph.add(
        "Conv",
        [source, kernel, bias],
        name if linear else f"{name}/linear",
        kernel_shape=[layer.size] * 2,
        strides=[layer.stride] * 2,
        pads=[layer.padding] * 4,
        group=layer.groups,
    )
    return value if linear else _add_activation(graph, layer.activation, value, name)


def _add_activation(graph: _Graph, activation: str, x: str, name: str) -> str:
    """Adds what `network.ACTIVATIONS` has, but for "linear"."""

    def number(value: float) -> str:
        return graph.constant(f"{name}/{len(graph.constants)}", np.array(value, np.float32))

    def step(kind: str, *inputs: str, **attributes: float) -> str:
        return graph.add(kind, list(inputs), f"{name}/step{len(graph.nodes)}", **attributes)

    def last(kind: str, *inputs: str, **attributes: float) -> str:
        return graph.add(kind, list(inputs), name, **attributes)

    def clipped(low: float, high: float) -> str:
        return step("Clip", x, number(low), number(high))

    def scaled(value: str, factor: float) -> str:
        return step("Mul", value, number(factor))

    match activation:
        case "leaky" | "relie":
            return last("LeakyRelu", x, alpha=LEAKY_SLOPE if activation == "leaky" else RELIE_SLOPE)
        case "relu" | "tanh" | "elu":
            return last(activation.capitalize(), x)
        case "logistic":
            return last("Sigmoid", x)
        case "selu":
            return last("Selu", x, alpha=SELU_ALPHA, gamma=SELU_SCALE)
        case "ramp":
            return last("Add", step("Relu", x), scaled(x, RAMP_SLOPE))
        case "loggy":
            return last("Tanh", scaled(x, 0.5))
        case "hardtan":
            return last("Clip", x, number(-1), number(1))
        case "lhtan":
            return last("Add", scaled(clipped(0, 1), 0.999), scaled(x, 0.001))
        case "plse":
            return last("Add", step("Add", scaled(clipped(-4, 4), 0.115), scaled(x, 0.01)), number(0.5))
        case "stair":
            floor = step("Floor", scaled(x, 0.5))
            rest = step("Sub", step("Sub", x, scaled(floor, 2)), number(1))
            return last("Add", floor, step("Relu", rest))
        case _:
            raise ValueError(f"activation {activation!r} of {name} has no ONNX operators")


def _add_reorg(graph: _Graph, stride: int, source: str, name: str, out: tuple[int, int, int]) -> str:
    """Darknet's reorg as `network.reorg` does it; `out` is (height, width, channels) of its result."""
    height, width, channels = out
    s = stride
    # (B, C, H, W) read as (B, C/s², H, s, W, s), with C = channels / s² and H, W = s * (height, width).
    value = graph.reshape(source, [0, channels // s**4, height * s, s, width * s, s], f"{name}/split")
    value = graph.add("Transpose", [value], f"{name}/moved", perm=[0, 3, 5, 1, 2, 4])
    return graph.reshape(value, [0, channels, height, width], name)


def _add_detections(graph: _Graph, architecture: Architecture, suppression: Suppression) -> None:
    """Adds decoding and suppression, from the value `head` to `boxes`, `scores`, `labels` and `image`."""
    boxes, scores, count = _add_decoding(graph, architecture)
    # ONNX keeps a score > threshold and yolojax one >= threshold: the next smaller float32 makes them the same.
    below = max(np.nextafter(np.float32(suppression.score_threshold), np.float32(-1)), np.float32(0))
    limits: dict[str, np.ndarray] = {
        "nms/count": np.array([count], np.int64),
        "nms/iou": np.array([suppression.iou_threshold], np.float32),
        "nms/score": np.array([below], np.float32),
    }
    selected = graph.add(  # (K, 3): image, class, box
        "NonMaxSuppression",
        [boxes, scores, *(graph.constant(name, value) for name, value in limits.items())],
        "nms",
        center_point_box=1,
    )
    columns = graph.split(selected, [1, 1, 1], 1, ["nms/image", "nms/label", "nms/box"])
    place = graph.add("Concat", [columns[0], columns[2]], "nms/place", axis=1)
    xy, wh = graph.split(graph.add("GatherND", [boxes, place], "nms/xywh"), [2, 2], 1, ["nms/xy", "nms/wh"])
    half = graph.add("Mul", [wh, graph.constant("half", np.array(0.5, np.float32))], "nms/half")
    corners = [graph.add("Sub", [xy, half], "nms/low"), graph.add("Add", [xy, half], "nms/high")]
    limit = [graph.constant("zero", np.array(0, np.float32)), graph.constant("one", np.array(1, np.float32))]
    graph.add("Clip", [graph.add("Concat", corners, "nms/xyxy", axis=1), *limit], "boxes")
    graph.add("GatherND", [scores, selected], "scores")
    axis = graph.constant("nms/axis", np.array([1], np.int64))
    graph.add("Squeeze", [columns[1], axis], "labels")
    graph.add("Squeeze", [columns[0], axis], "image")


def _add_decoding(graph: _Graph, architecture: Architecture) -> tuple[str, str, int]:
    """Adds `detection.decode`: the names of boxes (B, N, 4) xywh and scores (B, C, N), and N."""
    region = architecture.region
    height, width, _ = architecture.shapes[-1]
    anchors = len(region.anchors)
    count, fields = height * width * anchors, 5 + region.classes
    value = graph.reshape("head", [0, anchors, fields, height, width], "decode/anchors")
    value = graph.add("Transpose", [value], "decode/moved", perm=[0, 3, 4, 1, 2])
    value = graph.reshape(value, [0, count, fields], "decode/rows")
    names = ["decode/txy", "decode/twh", "decode/to", "decode/classes"]
    txy, twh, to, classes = graph.split(value, [2, 2, 1, region.classes], 2, names)

    rows, columns, _ = np.meshgrid(np.arange(height), np.arange(width), np.arange(anchors), indexing="ij")
    cells = graph.constant("decode/cells", np.stack([columns, rows], -1).reshape(1, count, 2).astype(np.float32))
    shapes = np.tile(np.array(region.anchors, np.float32), (height * width, 1))[None]  # (1, N, 2)
    size = graph.constant("decode/size", np.array([width, height], np.float32))
    centre = graph.add("Add", [cells, graph.add("Sigmoid", [txy], "decode/offset")], "decode/centre")
    centre = graph.add("Div", [centre, size], "decode/xy")
    scale = graph.add("Exp", [twh], "decode/scale")
    shape = graph.add("Mul", [graph.constant("decode/shapes", shapes), scale], "decode/shape")
    shape = graph.add("Div", [shape, size], "decode/wh")
    boxes = graph.add("Concat", [centre, shape], "decode/xywh", axis=2)

    sure = graph.add("Sigmoid", [to], "decode/objectness")
    if region.softmax:
        probability = graph.add("Softmax", [classes], "decode/softmax", axis=2)
    else:
        probability = graph.add("Sigmoid", [classes], "decode/sigmoid")
    scores = graph.add("Mul", [sure, probability], "decode/scores")
    return boxes, graph.add("Transpose", [scores], "decode/by_class", perm=[0, 2, 1]), count


@dataclasses.dataclass(frozen=True)
class Int8Options:
    """Whether the network is in int8, and by which images."""

    int8: bool = option(False, "int8 convolutions, calibrated on images.")
    calibrate: str = option("", "with --int8: the data set that it is calibrated on, its training split; as --data.")
    calibrate_images: int = option(128, "with --int8: how many images of it, by chance.")

    def __post_init__(self) -> None:
        if self.int8 != bool(self.calibrate):
            raise ValueError("--int8 and --calibrate DATA go together: int8 needs images to calibrate on")
        if self.calibrate_images < 1:
            raise ValueError(f"calibrate_images {self.calibrate_images}, expected at least 1")


@dataclasses.dataclass(frozen=True)
class OnnxOptions(DetectionOptions, Int8Options):
    """`DetectionOptions`, and whether the network is in int8."""

    def __post_init__(self) -> None:
        DetectionOptions.__post_init__(self)
        Int8Options.__post_init__(self)


def _write(path: pathlib.Path, model: Model, facts: Facts, options: OnnxOptions) -> pathlib.Path:
    if options.int8:
        raise ValueError("int8: runs.convert calibrates and measures; a format only writes what it is given")
    write_onnx(model.architecture, model.variables, path, facts, suppression=options.suppression)
    return path


FORMAT = Format("onnx", "an ONNX file", _write, recognises=by_suffix(".onnx"), options=OnnxOptions, suffix=".onnx")
