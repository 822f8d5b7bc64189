"""The formats that a network is written in and opened from: one line each."""

import dataclasses
import pathlib

from yolojax.export import checkpoint, compressed, darknet, onnx, openvino, safetensors, stablehlo, web
from yolojax.export.format import Format, Option
from yolojax.files import Path

# A later one is asked first whether it recognises a file: Darknet takes any.
FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (darknet, checkpoint, onnx, openvino, stablehlo, web, safetensors, compressed)
}


def format_options() -> dict[str, Option]:
    """Every option of any format, by name; one that several formats have is the same in each, and is one flag."""
    found: dict[str, Option] = {}
    for entry in FORMATS.values():
        defaults = entry.options()
        for field in dataclasses.fields(defaults):
            option = Option(field.name, getattr(defaults, field.name), **field.metadata)
            formats = found[field.name].formats if field.name in found else ()
            found[field.name] = dataclasses.replace(option, formats=(*formats, entry.name))
    return found


def format_of(path: Path) -> Format:
    """The format that a file to be written has by its suffix; ValueError for one that no format has."""
    suffix = pathlib.Path(path).suffix
    for entry in FORMATS.values():
        if entry.suffix == suffix and (suffix or entry.folder):
            return entry
    known = ", ".join(entry.suffix for entry in FORMATS.values() if entry.suffix)
    raise ValueError(f"{path}: no format has the suffix {suffix}, expected {known}, or none for a checkpoint folder")


def readable() -> str:
    """What can be opened, for messages."""
    *others, last = (entry.what for entry in FORMATS.values() if entry.read)
    return f"{', '.join(others)} or {last}"
