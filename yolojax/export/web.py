"""A network as a page that detects, alone or beside another one: a folder that opens in a browser."""

import base64
import dataclasses
import gzip
import html
import json
import pathlib
import string
from collections.abc import Sequence

from yolojax import detection, pruning
from yolojax.export.card import Facts, Measured
from yolojax.export.format import Format, option
from yolojax.export.onnx import Int8Options, onnx_model, with_detections
from yolojax.export.onnxruntime_web import VERSION, WebRuntime, read_web_runtime
from yolojax.export.suppression import Suppression
from yolojax.files import Json, Path, write_text
from yolojax.network import Architecture, Model, names_or_numbers

PAGE = pathlib.Path(__file__).with_name("page")
AS_THEY_ARE = ("page.css", "picture.js", "drawing.js", "page.js")
SUPPRESSION = Suppression(score_threshold=0.05)  # the page's own threshold goes from there up


@dataclasses.dataclass(frozen=True)
class WebNetwork:
    """One network of a page.

    Attributes:
      name: what the page calls it.
      model: the network, for its size and its classes.
      onnx: the network as a file, with decoding and `SUPPRESSION`.
      numbers: in which it computes.
      measured: its mAP, if known.
      notes: more lines.
    """

    name: str
    model: Model
    onnx: bytes
    numbers: str = "float32"
    measured: Measured | None = None
    notes: tuple[str, ...] = ()


def web_network(
    model: Model,
    facts: Facts = Facts(),  # noqa: B008  frozen
    *,
    int8: bytes | None = None,
) -> WebNetwork:
    """The network, named after the file or the run that it came from.

    Args:
      model: what detects in RGB pictures.
      facts: of it.
      int8: the network in int8, an ONNX file that gives the head; without it the page has it in float32.

    Raises:
      ValueError: a network that cannot be exported, does not detect, or reads other pictures.
    """
    architecture, name = model.architecture, web_name(facts.source)
    check_web(architecture)
    if int8 is None:
        numbers = "float32"
        onnx = onnx_model(architecture, model.variables, suppression=SUPPRESSION).SerializeToString()
    else:
        name, numbers = f"{name} int8", "int8 convolutions"
        onnx = with_detections(int8, architecture, SUPPRESSION)
    return WebNetwork(name, model, onnx, numbers, facts.measured, facts.notes)


def check_web(architecture: Architecture) -> None:
    """ValueError for a network that a page cannot run: one that does not detect, or reads other pictures than RGB."""
    _ = architecture.region  # says itself that there is none
    if architecture.net.channels != 3:
        raise ValueError(f"[net] has channels={architecture.net.channels}; a page gives RGB pictures, expected 3")


def web_name(source: str) -> str:
    """What a page calls a network: the name of its file, or of the run's workdir; one from memory has no source."""
    if not source:
        return "network"
    path = pathlib.Path(source).resolve()
    return path.parent.name if path.name.startswith("model.") else path.name if path.is_dir() else path.stem


def write_web(folder: Path, networks: Sequence[WebNetwork], *, runtime: WebRuntime) -> pathlib.Path:
    """Writes the page, and all that it needs, and returns the path of its index.html.

    Args:
      folder: made where it is missing; files of an older page are replaced.
      networks: of one name each; the others are compared with the first.
      runtime: as `read_web_runtime` gives it.

    Raises:
      ValueError: a folder that is a file.
    """
    files = _files(networks, runtime)
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: a file, expected a folder for the page")
    folder.mkdir(parents=True, exist_ok=True)
    if _recognises(folder):  # perhaps a page of more networks
        for path in folder.glob("network-[0-9]*.js"):
            path.unlink()
    for name, text in files.items():
        write_text(folder / name, text)
    return folder / "index.html"


def _files(networks: Sequence[WebNetwork], runtime: WebRuntime) -> dict[str, str]:
    """{file name: text} of a page."""
    colours = _colours(networks)
    scripts = {
        f"network-{i}.js": f"(globalThis.NETWORKS ??= []).push({json.dumps(_network(network, colours))});\n"
        for i, network in enumerate(networks, start=1)
    }
    index = _template("index.html").substitute(
        title=html.escape("Objects in pictures: " + " against ".join(network.name for network in reversed(networks))),
        lowest=SUPPRESSION.score_threshold,
        iou=SUPPRESSION.iou_threshold,
        runtime=VERSION,
        networks="\n".join(f'<script src="{script}"></script>' for script in scripts),
    )
    return {
        **{name: _template(name).template for name in AS_THEY_ARE},
        "runtime.js": _runtime_script(runtime),
        **scripts,
        "README.txt": _template("readme.txt").substitute(version=VERSION),
        "index.html": index,
    }


def _template(name: str) -> string.Template:
    return string.Template((PAGE / name).read_text(encoding="utf-8"))


def _runtime_script(runtime: WebRuntime) -> str:
    return f"const RUNTIME = {json.dumps({'script': _packed(runtime.script), 'binary': _packed(runtime.binary)})};\n"


def _packed(data: bytes) -> str:
    """Gzip in base64, since a page that is opened from a disk can load scripts and nothing else."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _network(network: WebNetwork, colours: dict[str, str]) -> Json:
    """What the page knows of a network."""
    architecture, params = network.model.architecture, network.model.params
    names = names_or_numbers(architecture, network.model.names)
    notes, measured = network.notes, network.measured
    if measured:
        notes = (f"mAP on {measured.data}: {measured.protocol}.", *notes)
    return {
        "name": network.name,
        "width": architecture.net.width,
        "height": architecture.net.height,
        "macs": pruning.macs(architecture),
        "parameters": pruning.count_parameters(params),
        "nonzero": pruning.count_nonzeros(params),
        "bytes": len(network.onnx),
        "numbers": network.numbers,
        "classes": [{"name": name, "colour": colours[name]} for name in names],
        "map": measured and {"points": measured.map_11point, "area": measured.map_area},
        "notes": notes,
        "onnx": _packed(network.onnx),
    }


def _colours(networks: Sequence[WebNetwork]) -> dict[str, str]:
    """#rrggbb of each class, the same in all networks and, with one network, the same as `detect` draws."""
    models = [network.model for network in networks]
    names = dict.fromkeys(name for model in models for name in names_or_numbers(model.architecture, model.names))
    return {name: "#{:02x}{:02x}{:02x}".format(*detection.colour(i)) for i, name in enumerate(names)}


@dataclasses.dataclass(frozen=True)
class WebOptions(Int8Options):
    """Whether the network is in int8, and what else goes into the page."""

    against: str = option("", "the unpruned network, or any other, which the page times too; as --model.")
    runtime_package: str = option("", "ONNX Runtime Web as a file that `npm pack` wrote; by default npm gets it.")


def _write(path: pathlib.Path, model: Model, facts: Facts, options: WebOptions) -> pathlib.Path:
    if options.int8 or options.against:
        raise ValueError("int8, against: runs.convert opens and calibrates; a format only writes what it is given")
    return write_web(path, [web_network(model, facts)], runtime=read_web_runtime(options.runtime_package))


def _recognises(path: pathlib.Path) -> bool:
    return (path / "index.html").is_file() and (path / "network-1.js").is_file()


FORMAT = Format("web", "a page that detects", _write, recognises=_recognises, options=WebOptions, folder=True)
