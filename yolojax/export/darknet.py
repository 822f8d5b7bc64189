"""Darknet's two files as a format: `.weights`, with the `.cfg` and `.names` beside it, and what a card says of them."""

import dataclasses
import pathlib

import jax

from yolojax import darknet, network
from yolojax.export.card import Facts, Interface, head, images, write_card
from yolojax.export.format import Format, option
from yolojax.files import Path, write_text
from yolojax.network import Architecture, Model, Region

EXAMPLE = """
import cv2
import numpy as np

{read}
network.setInput(np.zeros({shape}, np.float32))
head = network.forward("{name}")
"""
READ = 'network = cv2.dnn.readNetFromDarknet("{stem}.cfg", "{stem}.weights")  # OpenCV 4; 5 reads no Darknet files'
READ_LOGISTIC = """
with open("{stem}.cfg") as file:
    layers = file.read().partition("[region]")[0]  # OpenCV refuses softmax=0; the head comes before it
files = (np.frombuffer(layers.encode(), np.uint8), np.fromfile("{stem}.weights", np.uint8))
network = cv2.dnn.readNetFromDarknet(*files)  # OpenCV 4; 5 reads no Darknet files
""".strip()


def save_darknet(model: Model, stem: pathlib.Path) -> None:
    """Writes `stem`.cfg, .weights and, where the class names are known, .names, on process 0."""
    if jax.process_index() > 0:
        return
    darknet.save(
        model.architecture, model.variables, stem.with_suffix(".cfg"), stem.with_suffix(".weights"), seen=model.seen
    )
    if model.names:  # `read_names` refuses an empty file
        write_text(stem.with_suffix(".names"), "".join(f"{name}\n" for name in model.names))


def darknet_interface(architecture: Architecture) -> Interface:
    """What goes in and comes out of a `.cfg` and `.weights` in OpenCV."""
    (image,) = inputs = (images(architecture),)
    kind = "Darknet weights, with the layers in the .cfg and the class names in the .names beside them"
    last = architecture.layers[-1]
    read = READ_LOGISTIC if isinstance(last, Region) and not last.softmax else READ
    example = EXAMPLE.format(read=read, shape=(1, *image.shape[1:]), name=architecture.head_name)
    return Interface(kind, inputs, (head(architecture),), example)


@dataclasses.dataclass(frozen=True)
class DarknetOptions:
    """With `cutoff`, only the first layers are written, alone (`darknet partial`)."""

    cutoff: int = option(0, "only this many layers, the first: a backbone.")


def _write(path: pathlib.Path, model: Model, facts: Facts, options: DarknetOptions) -> pathlib.Path:
    if options.cutoff:
        darknet.write_weights(model.architecture, model.variables, path, seen=model.seen, cutoff=options.cutoff)
        return path
    path = path.with_suffix(".weights")
    save_darknet(model, path)
    write_card(path, model.architecture, model.variables, darknet_interface(model.architecture), facts)
    return path


def _open_to_cut(source: str, cfg: str, options: DarknetOptions) -> Model | None:
    """The first layers of any `.weights` file that a `.cfg` begins like, whatever follows in the two."""
    path = pathlib.Path(source)
    layers = pathlib.Path(cfg or path.with_suffix(".cfg"))
    if not options.cutoff or path.is_dir() or not (cfg or path.suffix == ".weights") or not layers.exists():
        return None
    architecture = darknet.read_cfg(layers)
    variables = network.init(architecture, jax.random.key(0))  # beyond the cut, and not written
    backbone = darknet.load_backbone(architecture, variables, source, options.cutoff)
    return Model(architecture, backbone, seen=darknet.read_header(path).seen)


def _read(path: pathlib.Path, cfg: Path | None) -> Model:
    layers = pathlib.Path(cfg or path.with_suffix(".cfg"))
    if path.suffix == ".cfg":
        raise ValueError(f"{path} has the layers and no weights, expected the .weights file beside it")
    if not layers.exists():
        raise ValueError(f"{layers}: no such file; a .weights file needs its .cfg")
    try:
        architecture, variables = darknet.load(layers, path)
    except darknet.WeightsError as error:
        raise ValueError(f"{error}; get the file again, or the .cfg that belongs to it") from error
    return Model(architecture, variables, seen=darknet.read_header(path).seen)


FORMAT = Format(
    "darknet",
    "a .weights file",
    _write,
    recognises=lambda path: not path.is_dir(),  # Darknet's files end in anything: darknet19_448.conv.23
    read=_read,
    options=DarknetOptions,
    open_source=_open_to_cut,
    suffix=".weights",
)
