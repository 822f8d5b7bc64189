"""Darknet `.weights` bytes to variables, and back (Darknet's `load_weights_upto` and `save_weights_upto`).

Three int32: major, minor, revision; the number of images seen, int32 before version 0.2 and int64 since; then for each
convolution bias, batch norm's scale, mean and variance if it has one, and the kernel as (out, in, height, width). All
little-endian, float32.
"""

import dataclasses
import math
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
from absl import logging
from jaxtyping import Float32

from yolojax.files import Path, replacing
from yolojax.network import Architecture, ConvolutionInfo, Variables, check_variables


class WeightsError(ValueError):
    """A `.weights` file that does not fit; the message is one line with bytes found and expected, and the layer."""


class Header(NamedTuple):
    """The file format's version, and the number of images seen in training."""

    major: int
    minor: int
    revision: int
    seen: int

    @property
    def layout(self) -> str:
        """The `struct` layout that this version has."""
        return "<iiii" if self.major * 10 + self.minor < 2 else "<iiiq"

    @property
    def size(self) -> int:
        """Bytes."""
        return struct.calcsize(self.layout)


class Slot(NamedTuple):
    """One array of the file: its place in the tree, and its shape there."""

    collection: str
    layer: str
    leaf: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * math.prod(self.shape)


def read_header(path: Path) -> Header:
    """The header of a `.weights` file. Raises WeightsError for a file that cannot be one."""
    with open(path, "rb") as file:
        data = file.read(20)
    if len(data) < 16:
        raise WeightsError(f"{path}: {len(data)} bytes, expected a .weights header of 16 or 20 bytes")
    major, minor, revision = struct.unpack("<iii", data[:12])
    # Darknet took a version of 1000 and more for a transposed file of its earliest days.
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise WeightsError(
            f"{path}: version {major}.{minor}.{revision} in the header, expected 0.1 or 0.2: not a .weights file"
        )
    header = Header(major, minor, revision, 0)
    if len(data) < header.size:
        raise WeightsError(f"{path}: {len(data)} bytes, expected a .weights header of {header.size} bytes")
    header = Header(*struct.unpack(header.layout, data[: header.size]))
    if header.seen < 0:
        raise WeightsError(f"{path}: {header.seen} images seen in the header, expected 0 or more: not a .weights file")
    return header


def read_weights(architecture: Architecture, path: Path, *, cutoff: int | None = None) -> Variables:
    """The variables in a `.weights` file, as float32 NumPy arrays.

    Args:
      architecture: settles what the file must hold, to the byte. As in Darknet, a convolution with `dontload` is not in
        it, nor in the result.
      path: the file.
      cutoff: only the first `cutoff` layers are read (23 for `darknet19_448.conv.23`), and the result has only their
        leaves. Then, and where a convolution is not read, the file may go on, as that of a whole network does; the log
        says how much is left.

    Raises:
      WeightsError: the file is too short or too long (found before anything large is read), has no proper header,
        holds a value that is not finite, or by its size has the convolutions that it is said not to have.
    """
    architecture = truncated(architecture, cutoff)
    header = read_header(path)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_all_read(architecture, path, header, size)
        slots = list(_slots(architecture, read=True))
        may_go_on = cutoff is not None or any(conv.layer.dontload for conv in architecture.convolutions)
        _check_size(slots, path, header, size, may_go_on=may_go_on)
        file.seek(header.size)
        variables: dict[str, dict[str, dict[str, np.ndarray]]] = {"params": {}, "batch_stats": {}}
        for slot in slots:
            leaves = variables[slot.collection].setdefault(slot.layer, {})
            leaves[slot.leaf] = _checked_finite(_read_array(file, slot), slot, path)
    return variables


def write_weights(
    architecture: Architecture,
    variables: Variables,
    path: Path,
    *,
    seen: int = 0,
    cutoff: int | None = None,
    header: Literal["int64", "int32"] = "int64",
) -> None:
    """Writes a `.weights` file; it is whole or absent.

    Args:
      architecture: the variables' description.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      path: the file.
      seen: images seen in training, for the header.
      cutoff: writes only the first `cutoff` layers (Darknet's `partial`).
      header: the kind of `seen`: "int64" is version 0.2, today's Darknet; "int32" is 0.1, the published weights.

    Raises:
      ValueError: the variables do not fit, hold a value that is not finite (WeightsError), or `seen` is too large.
    """
    if header not in ("int64", "int32"):
        raise ValueError(f"header={header!r}, expected 'int64' or 'int32'")
    limit = 2**63 if header == "int64" else 2**31
    if not 0 <= seen < limit:
        raise ValueError(f"seen={seen}, expected 0..{limit - 1} for an {header} header")
    check_variables(architecture, variables)
    head = Header(0, 2 if header == "int64" else 1, 0, seen)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack(head.layout, *head))
        for slot in _slots(truncated(architecture, cutoff)):
            array = np.asarray(variables[slot.collection][slot.layer][slot.leaf], np.float32)
            _checked_finite(array, slot, path)
            if slot.leaf == "kernel":
                array = array.transpose(3, 2, 0, 1)  # (out, in, height, width)
            file.write(np.ascontiguousarray(array, "<f4"))


def truncated(architecture: Architecture, cutoff: int | None) -> Architecture:
    """The first `cutoff` layers; all for None."""
    if cutoff is None:
        return architecture
    if not 1 <= cutoff <= len(architecture.layers):
        raise ValueError(f"cutoff={cutoff}, expected 1..{len(architecture.layers)}, the number of layers to keep")
    return dataclasses.replace(architecture, layers=architecture.layers[:cutoff])


def _slots(architecture: Architecture, *, read: bool = False) -> Iterator[Slot]:
    """What a file holds: all when it is written, and when it is `read` what `dontload` leaves."""
    for conv in architecture.convolutions:
        if not (read and conv.layer.dontload):
            yield from _convolution_slots(conv)


def _convolution_slots(conv: ConvolutionInfo) -> Iterator[Slot]:
    """In the order of Darknet's `load_convolutional_weights`."""
    vector = (conv.layer.filters,)
    yield Slot("params", conv.name, "bias", vector)
    if conv.layer.batch_normalize:
        yield Slot("params", conv.name, "scale", vector)
        yield Slot("batch_stats", conv.name, "mean", vector)
        yield Slot("batch_stats", conv.name, "var", vector)
    yield Slot("params", conv.name, "kernel", conv.kernel_shape)


def _check_all_read(architecture: Architecture, path: Path, header: Header, found: int) -> None:
    """Raises WeightsError for a file of all convolutions, of which one that is not read comes before one that is."""
    convolutions = architecture.convolutions
    first = next((place for place, conv in enumerate(convolutions) if conv.layer.dontload), len(convolutions))
    behind = any(not conv.layer.dontload for conv in convolutions[first:])
    if behind and found == header.size + sum(slot.size for slot in _slots(architecture)):
        raise WeightsError(
            f"{path}: {found} bytes, as many as with {convolutions[first].name}, which dontload=1 leaves out: remove "
            "that option"
        )


def _check_size(slots: list[Slot], path: Path, header: Header, found: int, *, may_go_on: bool) -> None:
    expected = header.size + sum(slot.size for slot in slots)
    last = slots[-1].layer if slots else "the header"
    if found > expected and may_go_on:
        logging.info("%s: read up to %s; %d of its %d bytes are left", path, last, found - expected, found)
    elif found > expected:
        raise WeightsError(f"{path}: {found} bytes, expected {expected}: {found - expected} are left after {last}")
    end = header.size
    for slot in slots:
        end += slot.size
        if found < end:
            raise WeightsError(f"{path}: {found} bytes, expected {expected}: it ends in {slot.layer} ({slot.leaf})")


def _read_array(file: BinaryIO, slot: Slot) -> Float32[np.ndarray, "..."]:
    data = file.read(slot.size)
    if len(data) < slot.size:
        raise WeightsError(
            f"{file.name}: {slot.size - len(data)} bytes short in {slot.layer}, it shrank while being read"
        )
    array = np.frombuffer(data, "<f4").astype(np.float32)
    if slot.leaf != "kernel":
        return array
    height, width, channels, filters = slot.shape
    kernel = array.reshape(filters, channels, height, width)
    return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))  # (height, width, in, out)


def _checked_finite(array: Float32[np.ndarray, "*shape"], slot: Slot, path: Path) -> Float32[np.ndarray, "*shape"]:
    if not np.isfinite(array).all():
        bad = array.size - int(np.isfinite(array).sum())
        raise WeightsError(f"{path}: {bad} of {array.size} values are not finite in {slot.layer} ({slot.leaf})")
    return array
