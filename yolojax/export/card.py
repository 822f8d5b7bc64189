"""The card beside an exported file: what it is, from what, its inputs and outputs, and how to feed it. Markdown."""

import dataclasses
import pathlib
from typing import NamedTuple

from yolojax import pruning
from yolojax.files import Path, write_text
from yolojax.network import Architecture, Region, Variables

# By the number of channels.
COLOURS = {1: "grey", 3: "RGB"}
HOW = {1: "grey (.299 R + .587 G + .114 B)", 3: "RGB (not BGR)"}


class Tensor(NamedTuple):
    """An input or output: its name, shape (a string is a free dimension), dtype and meaning."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    meaning: str


class Measured(NamedTuple):
    """VOC mAP with what it was measured on, and by which protocol."""

    map_11point: float
    map_area: float
    data: str
    protocol: str


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a card says that the network does not: where it came from, its class names, its mAP if known, more lines."""

    source: str = ""
    names: tuple[str, ...] = ()
    measured: Measured | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Interface:
    """How a file is used.

    `kind` says in one line what the file is. `example` is Python that runs in the file's folder, with {file} for the
    file's name and {stem} for the name without its suffix.
    """

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    example: str


def card_path(path: Path) -> pathlib.Path:
    """Where the card of a file is: `model.onnx.md` for `model.onnx`."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.name}.md")


def write_card(
    path: Path, architecture: Architecture, variables: Variables, interface: Interface, facts: Facts
) -> None:
    """Writes the card of the exported file `path`, which exists already."""
    path = pathlib.Path(path)
    write_text(card_path(path), _text(path, architecture, variables, interface, facts))


def images(architecture: Architecture, layout: str = "NCHW") -> Tensor:
    """The input of every export that runs: a batch of images in the layout NCHW or NHWC."""
    net = architecture.net
    shape = _in_layout(layout, net.height, net.width, net.channels)
    return Tensor("images", shape, "float32", f"{COLOURS.get(net.channels, 'values')} in 0..1, {layout}")


def head(architecture: Architecture, layout: str = "NCHW") -> Tensor:
    """The network's last feature map."""
    meaning = f"{layout}; channels are, for each anchor, tx, ty, tw, th, to, then the class logits"
    if not isinstance(architecture.layers[-1], Region):
        meaning = layout
    return Tensor("head", _in_layout(layout, *architecture.shapes[-1]), "float32", meaning)


def _in_layout(layout: str, height: int, width: int, channels: int) -> tuple[int | str, ...]:
    return ("batch", channels, height, width) if layout == "NCHW" else ("batch", height, width, channels)


def _text(
    path: pathlib.Path, architecture: Architecture, variables: Variables, interface: Interface, facts: Facts
) -> str:
    net = architecture.net
    params = variables["params"]
    parameters, nonzero = pruning.count_parameters(params), pruning.count_nonzeros(params)
    macs = pruning.macs(architecture, net.height, net.width)
    lines = [
        f"# {path.name}",
        "",
        f"{interface.kind}, written by yolojax" + (f" from `{facts.source}`." if facts.source else "."),
        "",
        f"- Size: {path.stat().st_size:,} bytes.",
        f"- Network: {len(architecture.convolutions)} convolutions, {parameters:,} parameters, {nonzero:,} of them not "
        f"zero, {macs:,} multiply-adds for an image of {net.width}x{net.height}.",
        f"- mAP: {_accuracy(facts.measured)}",
        *(f"- {note}" for note in facts.notes),
        "",
        *_tensor_lines("Input", interface.inputs),
        f"Preprocessing: the image as {HOW.get(net.channels, 'values')}, stretched to {net.width}x{net.height} "
        "(its aspect is not kept; bilinear without antialiasing, as OpenCV's `INTER_LINEAR`), divided by 255.",
        "",
        *_tensor_lines("Output", interface.outputs),
        *_region_lines(architecture, facts.names, decoded=any(t.name == "boxes" for t in interface.outputs)),
        "## Use",
        "",
        "```python",
        interface.example.format(file=path.name, stem=path.stem).strip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def _accuracy(measured: Measured | None) -> str:
    if measured is None:
        return "not known."
    return (
        f"{measured.map_11point:.4f} (11-point), {measured.map_area:.4f} (area) on {measured.data}, measured by "
        f"yolojax: {measured.protocol}."
    )


def _tensor_lines(title: str, tensors: tuple[Tensor, ...]) -> list[str]:
    if not tensors:
        return []
    rows = [f"| `{t.name}` | {' x '.join(map(str, t.shape))} | {t.dtype} | {t.meaning} |" for t in tensors]
    return [f"## {title}", "", "| name | shape | dtype | what |", "|---|---|---|---|", *rows, ""]


def _region_lines(architecture: Architecture, names: tuple[str, ...], *, decoded: bool) -> list[str]:
    region = architecture.layers[-1]
    if not isinstance(region, Region):
        return []
    rows, columns, _ = architecture.shapes[-1]
    classes = ", ".join(f"{i} {name}" for i, name in enumerate(names)) or f"{region.classes}, names not known"
    anchors = ", ".join(f"{width:g} x {height:g}" for width, height in region.anchors)
    lines = [
        "## Detections",
        "",
        f"- Classes: {classes}.",
        f"- Anchors, width x height in cells of the {columns}x{rows} head: {anchors}.",
    ]
    if not decoded:
        lines.append(
            f"- A box of the head, relative to the image: x = (column + σ(tx)) / {columns}, y = (row + σ(ty)) / "
            f"{rows}, w = anchor width * exp(tw) / {columns}, h = anchor height * exp(th) / {rows}. Its score for a "
            f"class: σ(to) * {'softmax(class logits)' if region.softmax else 'σ(class logit)'}."
        )
    return [*lines, ""]
