"""Darknet `.cfg` text to an `Architecture`, and back (Darknet's `parser.c`)."""

import dataclasses
from collections.abc import Callable
from typing import assert_never

from yolojax.darknet.limits import check_limits
from yolojax.darknet.options import kept_options
from yolojax.darknet.sections import MAX_BYTES, CfgError, Section, parse_sections, shown
from yolojax.files import Path, read_text, write_text
from yolojax.network import (
    ACTIVATIONS,
    Architecture,
    ArchitectureError,
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Softmax,
)

MAX_LAYERS = 1000
MAX_MESSAGE = 200
ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool", "avg": "avgpool", "soft": "softmax"}
YOLOV3 = ("shortcut", "upsample", "yolo")


def read_cfg(path: Path) -> Architecture:
    """The architecture that a `.cfg` file describes. Raises CfgError (file, line, what, expected) and OSError."""
    text = read_text(path, MAX_BYTES, "a .cfg", CfgError, comments=b"#;")
    return parse_cfg(text, str(path))


def write_cfg(architecture: Architecture, path: Path) -> None:
    """Writes a `.cfg` that Darknet, OpenCV and `read_cfg` read; the file is whole or absent."""
    write_text(path, format_cfg(architecture))


def parse_cfg(text: str, source: str = "<text>") -> Architecture:
    """The architecture that `text` describes; `source` is the file's name in messages.

    Options that the dataclasses have no field for are kept in `options`, in order; one that Darknet does not know is
    warned about once for each kind of section. Raises CfgError.
    """
    sections = parse_sections(text, source)
    if not sections:
        raise CfgError(f"{source}:1: no sections, expected [net]")
    for section in sections:
        section.name = ALIASES.get(section.name, section.name)
    first, *rest = sections
    if first.name != "net":
        raise first.error(f"[{shown(first.name)}], expected [net] first")
    if len(rest) > MAX_LAYERS:
        raise rest[MAX_LAYERS].error(f"{len(rest)} layers, expected at most {MAX_LAYERS}")
    warned: set[tuple[str, str]] = set()
    net = _net(first, warned)
    layers = tuple(_layer(section, warned) for section in rest)
    try:
        architecture = Architecture(net, layers)
        check_limits(architecture)
    except ArchitectureError as error:
        # Channels multiply along routes: a number in the message may have thousands of digits.
        message = str(error) if len(str(error)) <= MAX_MESSAGE else f"{str(error)[:MAX_MESSAGE]}..."
        if error.layer is None:
            raise first.error(message) from error
        section = rest[error.layer]
        raise section.error(f"[{section.name}] {message}") from error
    return architecture


def format_cfg(architecture: Architecture) -> str:
    """The `.cfg` text of an architecture: `parse_cfg(format_cfg(a)) == a`.

    Raises ValueError when `options` hold what a `.cfg` cannot: an option that is a field, or signs with a meaning.
    """
    return "\n".join(_format_section(layer) for layer in (architecture.net, *architecture.layers))


def _net(section: Section, warned: set[tuple[str, str]]) -> Net:
    net = Net(
        height=section.take_integer("height"),
        width=section.take_integer("width"),
        channels=section.take_integer("channels"),
    )
    return dataclasses.replace(net, options=kept_options(section, warned))


def _layer(section: Section, warned: set[tuple[str, str]]) -> Layer:
    if section.name in YOLOV3:
        raise section.error(f"[{section.name}]: this is a YOLOv3 network; yolojax reads the YOLOv2 family")
    if section.name not in LAYERS:
        raise section.error(f"unknown section [{shown(section.name)}], expected one of {', '.join(LAYERS)}")
    layer = LAYERS[section.name](section)
    stopbackward = section.take_flag("stopbackward")
    return dataclasses.replace(layer, stopbackward=stopbackward, options=kept_options(section, warned))


def _convolutional(section: Section) -> Convolutional:
    size = section.take_integer("size", 1)
    padding = section.take_integer("padding", 0)
    # Darknet: a non-zero pad means half the kernel, whatever padding says.
    pad = section.take_integer("pad", 0)
    return Convolutional(
        filters=section.take_integer("filters", 1),
        size=size,
        stride=section.take_integer("stride", 1),
        padding=size // 2 if pad else padding,
        batch_normalize=section.take_flag("batch_normalize"),
        activation=section.take_choice("activation", tuple(ACTIVATIONS), default="logistic"),
        groups=section.take_integer("groups", 1),
        dontload=section.take_flag("dontload"),
    )


def _maxpool(section: Section) -> Maxpool:
    stride = section.take_integer("stride", 1)
    size = section.take_integer("size", stride)
    return Maxpool(size=size, stride=stride, padding=section.take_integer("padding", size - 1))


def _route(section: Section) -> Route:
    return Route(layers=section.take_integers("layers"))


def _reorg(section: Section) -> Reorg:
    return Reorg(stride=section.take_integer("stride", 1))


def _region(section: Section) -> Region:
    section.take_only("coords", 4, default=4)
    section.take_only("bias_match", 1, default=0)
    line = section.options["anchors"].line if "anchors" in section.options else section.line
    anchors, num = section.take_numbers("anchors"), section.take_integer("num", 1)
    if len(anchors) != 2 * num:
        raise section.error(f"{len(anchors)} numbers in anchors, expected 2 * num = {2 * num}", line)
    if min(anchors, default=1.0) <= 0:
        raise section.error(f"an anchor of {min(anchors)}, expected positive widths and heights", line)
    return Region(
        anchors=tuple(zip(anchors[::2], anchors[1::2], strict=True)),
        classes=section.take_integer("classes", 20),
        coord_scale=section.take_number("coord_scale", 1.0),
        object_scale=section.take_number("object_scale", 1.0),
        noobject_scale=section.take_number("noobject_scale", 1.0),
        class_scale=section.take_number("class_scale", 1.0),
        thresh=section.take_number("thresh", 0.5),
        rescore=section.take_flag("rescore"),
        softmax=section.take_flag("softmax"),
    )


def _dropout(section: Section) -> Dropout:
    return Dropout(probability=section.take_number("probability", 0.5))


LAYERS: dict[str, Callable[[Section], Layer]] = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "reorg": _reorg,
    "region": _region,
    "dropout": _dropout,
    "avgpool": lambda _: Avgpool(),
    "softmax": lambda _: Softmax(),
    "cost": lambda _: Cost(),
}


def _format_section(layer: Net | Layer) -> str:
    name, fields = _fields(layer)
    taken = {key for key, _ in fields} | SOMETIMES.get(name, set())
    if not isinstance(layer, Net):
        fields += [("stopbackward", 1)] if layer.stopbackward else []
        taken.add("stopbackward")
    for key, value in layer.options:
        if key in taken:
            raise ValueError(f"option {key}={value} of [{name}] is a field of the layer already, or given twice")
        plain = (key + value).isprintable() and not set(" #;") & set(key + value)
        if not key or key.startswith("[") or "=" in key or not plain:
            raise ValueError(f"option {key!r}={value!r} of [{name}] cannot be written in a .cfg")
        taken.add(key)
    lines = [f"{key}={value}" for key, value in (*fields, *layer.options)]
    return "\n".join([f"[{name}]", *lines, ""])


# Fields that are printed only where they are not the default.
SOMETIMES = {"convolutional": {"pad", "padding", "groups", "dontload"}, "maxpool": {"padding"}}


def _fields(layer: Net | Layer) -> tuple[str, list[tuple[str, object]]]:
    """The section's name, and the typed fields as options."""
    match layer:
        case Net():
            return "net", [("width", layer.width), ("height", layer.height), ("channels", layer.channels)]
        case Convolutional():
            pad = ("pad", 1) if layer.padding == layer.size // 2 else ("padding", layer.padding)
            return "convolutional", [
                ("batch_normalize", int(layer.batch_normalize)),
                ("filters", layer.filters),
                ("size", layer.size),
                ("stride", layer.stride),
                pad,
                ("activation", layer.activation),
                *([("groups", layer.groups)] if layer.groups > 1 else []),
                *([("dontload", 1)] if layer.dontload else []),
            ]
        case Maxpool():
            padding = [] if layer.padding == layer.size - 1 else [("padding", layer.padding)]
            return "maxpool", [("size", layer.size), ("stride", layer.stride), *padding]
        case Route():
            return "route", [("layers", ",".join(map(str, layer.layers)))]
        case Reorg():
            return "reorg", [("stride", layer.stride)]
        case Region():
            return "region", _region_fields(layer)
        case Dropout():
            return "dropout", [("probability", _decimal(layer.probability))]
        case Avgpool() | Softmax() | Cost():
            return layer.kind, []
        case _:
            assert_never(layer)


def _region_fields(layer: Region) -> list[tuple[str, object]]:
    return [
        ("anchors", ", ".join(_decimal(side) for anchor in layer.anchors for side in anchor)),
        ("bias_match", 1),
        ("classes", layer.classes),
        ("coords", 4),
        ("num", len(layer.anchors)),
        ("softmax", int(layer.softmax)),
        ("rescore", int(layer.rescore)),
        ("coord_scale", _decimal(layer.coord_scale)),
        ("object_scale", _decimal(layer.object_scale)),
        ("noobject_scale", _decimal(layer.noobject_scale)),
        ("class_scale", _decimal(layer.class_scale)),
        ("thresh", _decimal(layer.thresh)),
    ]


def _decimal(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")
