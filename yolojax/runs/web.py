"""A page that detects, with one network or two."""

import dataclasses
import pathlib

from yolojax import export
from yolojax.network import Model
from yolojax.runs.quantize import int8_onnx


def write_page(
    folder: pathlib.Path,
    model: Model,
    facts: export.Facts,
    options: export.WebOptions,
    *,
    against: tuple[Model, export.Facts] | None = None,
) -> pathlib.Path:
    """Writes the page of a network, which also times it against another one, and returns the path of its index.html.

    `options.int8` holds for the network and not for `against`, whose classes have the same names where it has as many
    and none of its own. Raises ValueError as `export.web_network`, `export.write_web` and `int8_onnx` do.
    """
    runtime = export.read_web_runtime(options.runtime_package)  # before the long work: npm may be missing
    if against is None:
        networks = [_network(model, facts, options)]
    else:
        other, about = against
        if not other.names and other.architecture.region.classes == len(model.names):
            other = dataclasses.replace(other, names=model.names)
        networks = [export.web_network(other, about), _network(model, facts, options)]
        if networks[0].name == networks[1].name:
            networks = [dataclasses.replace(n, name=f.source) for n, f in zip(networks, (about, facts), strict=True)]
    return export.write_web(folder, networks, runtime=runtime)


def _network(model: Model, facts: export.Facts, options: export.WebOptions) -> export.WebNetwork:
    """In float32, or calibrated."""
    export.check_web(model.architecture)  # before the long work
    if not options.int8:
        return export.web_network(model, facts)
    head, facts = int8_onnx(model, facts, options)
    return export.web_network(model, facts, int8=head)
