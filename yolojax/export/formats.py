"""The formats that a network is written in and opened from: one line each."""

import dataclasses

from yolojax.export import checkpoint, compressed, darknet, onnx, openvino, safetensors, stablehlo, web
from yolojax.export.format import Format, Option

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


def readable() -> str:
    """What can be opened, for messages."""
    *others, last = (entry.what for entry in FORMATS.values() if entry.read)
    return f"{', '.join(others)} or {last}"
