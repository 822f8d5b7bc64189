"""A whole network in one file that is as small as the network is sparse.

Around it is `container`. The coded stream has, for each convolution, its bias and, if batch-normalised, scale, mean and
variance as they are, then the kernel (`sparse_kernels`); only kernels are ever lossy.

A few bytes can stand for a large kernel of zeros, so the length of a file does not bound what it decodes to:
`max_bytes` does, and is compared with the shapes that the cfg gives before any of it is made.
"""

import dataclasses
import importlib.util
import math
import os
import pathlib
import types
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np

from yolojax.export.card import Facts, Interface, write_card
from yolojax.export.coding import Reader, Writer
from yolojax.export.container import EXPECTED, MAGIC, MAX_HEADER, CompressedInfo, Note, check_info, pack, unpack
from yolojax.export.format import Format, option
from yolojax.export.optional import require
from yolojax.export.sparse_kernels import MAX_BITS, VALUES, least_bits, read_kernel, write_kernel
from yolojax.files import Path, read_bytes, write_bytes
from yolojax.network import Architecture, ConvolutionInfo, Model, Variables, check_variables

MAX_BYTES = 1 << 30  # five times yolov2 at float32
VECTORS = (("params", "bias"), ("params", "scale"), ("batch_stats", "mean"), ("batch_stats", "var"))
KIND = "Compressed network ({values} weights), the .cfg in its header"
EXAMPLE = """
from yolojax.export import read_compressed

architecture, variables, info = read_compressed("{file}")
"""
NO_NOTES: Mapping[str, Note] = types.MappingProxyType({})


def write_compressed(
    path: Path,
    architecture: Architecture,
    variables: Variables,
    *,
    names: Sequence[str] = (),
    seen: int = 0,
    values: str = "float32",
    bits: int = 5,
    notes: Mapping[str, Note] = NO_NOTES,
) -> None:
    """Writes the network; the file is whole or absent.

    Args:
      path: the file.
      architecture: the network's description.
      variables: `{"params": ..., "batch_stats": ...}` that fit it, float32.
      names: the class names, one for each class, or none.
      seen: images seen in training.
      values: how the kernels' weights that are not zero are stored: "float32" as they are, to the bit; "float16"
        rounded; "clustered" as the nearest of 2**bits centres of their kernel. Everything else is always exact.
      bits: 1 to 8, for "clustered".
      notes: short facts to keep, by name.

    Raises:
      ValueError: an argument does not fit, a lossy kind is to hold a weight that is not finite, or constriction is
        not installed.
    """
    write_bytes(path, _file_bytes(architecture, variables, names, seen, values, bits, notes))


def compressed_bytes(
    architecture: Architecture, variables: Variables, *, values: str = "float32", bits: int = 5
) -> int:
    """The bytes of the file that `write_compressed` would make, without names and notes."""
    return len(_file_bytes(architecture, variables, (), 0, values, bits, NO_NOTES))


def read_compressed(path: Path, *, max_bytes: int = MAX_BYTES) -> tuple[Architecture, Variables, CompressedInfo]:
    """The network in a file of `write_compressed`: architecture, float32 NumPy arrays and what the header holds.

    Args:
      path: the file, from anywhere: nothing in it is run, and its checksum shows damage.
      max_bytes: what the arrays may take. Decoding takes more for a moment: 1.4 times for yolov2-voc with a tenth of
        its weights, five times where one full kernel is all of the network.

    Raises:
      ValueError: the file is of another kind, damaged, or larger than that (found before any array is made); or
        its parts do not fit together.
      OSError: it cannot be read.
    """
    require("constriction")  # before the file gets the blame
    architecture, info, stream = unpack(_read_file(path, max_bytes + max_bytes // 8 + MAX_HEADER), path)
    _check_sizes(architecture, info, len(stream), max_bytes, path)
    try:
        return architecture, _read_variables(Reader(stream), architecture, info), info
    except ValueError as error:
        raise ValueError(f"{path}: {error}; expected {EXPECTED}") from None


def is_compressed(path: Path) -> bool:
    """Whether a file begins as those of `write_compressed` do."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def can_compress() -> bool:
    """Whether the coder's library is installed; it has no wheels for some platforms."""
    return importlib.util.find_spec("constriction") is not None


def compressed_interface(values: str = "float32") -> Interface:
    """For the card: nothing in the file runs, so it has no input."""
    return Interface(KIND.format(values=values), (), (), EXAMPLE)


def _file_bytes(
    architecture: Architecture,
    variables: Variables,
    names: Sequence[str],
    seen: int,
    values: str,
    bits: int,
    notes: Mapping[str, Note],
) -> bytes:
    if values not in VALUES:
        raise ValueError(f"values={values!r}, expected one of {', '.join(VALUES)}")
    if values == "clustered" and not 1 <= bits <= MAX_BITS:
        raise ValueError(f"bits={bits}, expected 1..{MAX_BITS}")
    check_variables(architecture, variables)
    info = CompressedInfo(values, tuple(names), seen, (), notes)
    check_info(architecture, info)  # before the long part
    stream, nonzeros = _write_variables(architecture, variables, values, bits)
    return pack(architecture, dataclasses.replace(info, nonzeros=nonzeros), stream)


def _write_variables(
    architecture: Architecture, variables: Variables, values: str, bits: int
) -> tuple[bytes, tuple[int, ...]]:
    """The coded stream, and for each kernel the number of weights in it."""
    writer, nonzeros = Writer(), []
    for conv in architecture.convolutions:
        for collection, leaf in _vectors(conv):
            writer.words(_float32(variables[collection][conv.name][leaf]).view(np.uint32))
        try:
            nonzeros.append(write_kernel(writer, _float32(variables["params"][conv.name]["kernel"]), values, bits))
        except ValueError as error:
            raise ValueError(f"{conv.name} (kernel): {error}") from None
    return writer.to_bytes(), tuple(nonzeros)


def _read_variables(reader: Reader, architecture: Architecture, info: CompressedInfo) -> Variables:
    variables: dict[str, dict[str, dict[str, np.ndarray]]] = {"params": {}, "batch_stats": {}}
    for conv, nonzeros in zip(architecture.convolutions, info.nonzeros, strict=True):
        for collection, leaf in _vectors(conv):
            vector = reader.words(conv.layer.filters).view(np.float32)
            variables[collection].setdefault(conv.name, {})[leaf] = vector
        try:
            kernel = read_kernel(reader, conv.kernel_shape, info.values, nonzeros)
        except ValueError as error:
            raise ValueError(f"{conv.name} (kernel): {error}") from None
        variables["params"][conv.name]["kernel"] = kernel
    reader.finish()
    return variables


def _read_file(path: Path, limit: int) -> bytes:
    size = os.stat(path).st_size
    if size > limit:
        raise ValueError(
            f"{path}: {size} bytes, expected at most {limit}; pass more max_bytes where you trust the file"
        )
    return read_bytes(path, size, EXPECTED)  # not up to the limit: reading takes that much memory at once


def _vectors(conv: ConvolutionInfo) -> Iterator[tuple[str, str]]:
    """Collection and leaf of what each filter has one value of."""
    yield from VECTORS if conv.layer.batch_normalize else VECTORS[:1]


def _float32(leaf: jax.Array | np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(leaf, np.float32)


def _check_sizes(
    architecture: Architecture, info: CompressedInfo, stream_bytes: int, max_bytes: int, path: Path
) -> None:
    """The cfg, the counts and the length of the stream against each other and against `max_bytes`."""
    convolutions = architecture.convolutions
    kernels = [math.prod(conv.kernel_shape) for conv in convolutions]
    vectors = sum(conv.layer.filters * len(list(_vectors(conv))) for conv in convolutions)
    if (size := 4 * (sum(kernels) + vectors)) > max_bytes:
        raise ValueError(
            f"{path}: its network takes {size} bytes, expected at most max_bytes={max_bytes}; "
            "pass more where you trust the file"
        )
    if len(info.nonzeros) != len(kernels):
        raise ValueError(f"{path}: {len(info.nonzeros)} kernels, expected {len(kernels)} as in its cfg")
    for conv, count, kernel in zip(convolutions, info.nonzeros, kernels, strict=True):
        if not 0 <= count <= kernel:
            raise ValueError(f"{path}: {str(count)[:40]} weights in {conv.name}, expected 0..{kernel} as in its cfg")
    least = (32 * vectors + least_bits(info.values) * sum(info.nonzeros)) // 8
    if stream_bytes < least:
        raise ValueError(f"{path}: {stream_bytes} bytes of weights, expected at least {least} as its header says")


@dataclasses.dataclass(frozen=True)
class CompressedOptions:
    """As in `write_compressed`."""

    values: str = option("float32", "how weights are stored.", choices=VALUES)
    bits: int = option(5, "2**bits centres for each layer, with --values clustered.")


def _write(path: pathlib.Path, model: Model, facts: Facts, options: CompressedOptions) -> pathlib.Path:
    # The mAP was measured with the weights as they were: only lossless files may claim it.
    facts = facts if options.values == "float32" else dataclasses.replace(facts, measured=None)
    write_compressed(
        path,
        model.architecture,
        model.variables,
        names=model.names,
        seen=model.seen,
        values=options.values,
        bits=options.bits,
        notes={"mAP": facts.measured.map_11point, "on": facts.measured.data} if facts.measured else {},
    )
    write_card(path, model.architecture, model.variables, compressed_interface(options.values), facts)
    return path


def _read(path: pathlib.Path, _: Path | None) -> Model:
    architecture, variables, info = read_compressed(path)
    return Model(architecture, variables, info.names, info.seen)


FORMAT = Format(
    "compressed",
    "a compressed file",
    _write,
    recognises=lambda path: path.is_file() and is_compressed(path),
    read=_read,
    options=CompressedOptions,
    suffix=".yolojax",
)
