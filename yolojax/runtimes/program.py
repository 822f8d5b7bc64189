"""A network in the form that runtimes load."""

import dataclasses
import functools
import pathlib

from yolojax import darknet, export
from yolojax.files import Path
from yolojax.network import Architecture, Model, check_size, choose_size


@dataclasses.dataclass(frozen=True)
class Program:
    """A network at one input size.

    Attributes:
      architecture: its layers; the head is decoded by them.
      names: of its classes; empty where its file has none.
      model: the network with its variables; None for a file that is run as it is.
      file: an ONNX file, or the .xml of OpenVINO's; None for a network with variables.
    """

    architecture: Architecture
    names: tuple[str, ...]
    model: Model | None = None
    file: pathlib.Path | None = None

    @property
    def size(self) -> int:
        """Of its images, in pixels."""
        return self.architecture.net.width

    @property
    def kind(self) -> str:
        """The suffix of the file that is run as it is, or `model`."""
        return "model" if self.file is None else self.file.suffix

    @functools.cached_property
    def onnx(self) -> bytes:
        """The network as an ONNX file that gives the head."""
        if self.model is not None:
            return export.onnx_model(self.architecture, self.model.variables).SerializeToString()
        assert self.file is not None
        return self.file.read_bytes()


def make_program(model: Model, *, size: int = 0) -> Program:
    """A network for images of `size` pixels, 0 for its own size. ValueError for a size that is off its grid."""
    architecture = model.architecture
    if size:
        check_size(architecture, size)
        architecture = architecture.resized(size, size)
    return Program(architecture, model.names, model=dataclasses.replace(model, architecture=architecture))


def open_program(path: Path, *, cfg: Path = "", names: Path = "", size: int = 0) -> Program:
    """The program of any file that `export.open_model` takes, or of an ONNX or OpenVINO file that yolojax wrote.

    Raises:
      ValueError: what `export.open_model` raises; a file of another program; a size that is not the file's.
    """
    source = pathlib.Path(path)
    if source.suffix not in export.DEPLOYED or not source.is_file():
        model = export.open_model(path, cfg=cfg, names=names)
        return make_program(model, size=choose_size(model.architecture, size) if size else 0)
    if cfg:
        raise ValueError(f"{path} holds its layers; --cfg goes with .weights files")
    about = export.read_deployed(source)
    program = Program(about.architecture, about.names, file=source)
    if size not in (0, program.size):
        raise ValueError(f"size {size}: {path} is for images of {program.size} pixels; convert it with --size {size}")
    if names:
        program = dataclasses.replace(program, names=darknet.read_names(names))
    if len(program.names) not in (0, program.architecture.region.classes):
        raise ValueError(f"{len(program.names)} class names for {program.architecture.region.classes} classes: {path}")
    return program
