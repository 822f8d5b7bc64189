"""The outside of a compressed network's file: magic, version, length, checksum, and the header with the cfg.

All little-endian:

    7 bytes   "yolojax"
    1 byte    version, 1
    uint64    bytes of the whole file
    32 bytes  SHA-256 of what follows
    uint32    bytes of the header
    header    JSON: cfg, names, seen, values, nonzeros (one count per kernel), notes
    rest      the coded stream
"""

import dataclasses
import hashlib
import json
import math
import struct
from collections.abc import Mapping

from yolojax import darknet
from yolojax.export.sparse_kernels import VALUES
from yolojax.files import Path
from yolojax.network import Architecture, Region

MAGIC = b"yolojax"
VERSION = 1
PRELUDE = struct.Struct("<7sBQ32s")
LENGTH = struct.Struct("<I")
MAX_HEADER = 1 << 21
EXPECTED = "a compressed network that yolojax wrote"
FIELDS = {"cfg": str, "names": list, "seen": int, "values": str, "nonzeros": list, "notes": dict}

Note = str | int | float | None


@dataclasses.dataclass(frozen=True)
class CompressedInfo:
    """What the header holds besides the layers.

    `values` is how the weights are stored, `names` the class names, `seen` the number of images seen in training,
    `nonzeros` how many weights of each kernel are stored, `notes` whatever the writer added, such as its mAP.
    """

    values: str
    names: tuple[str, ...]
    seen: int
    nonzeros: tuple[int, ...]
    notes: Mapping[str, Note]


def pack(architecture: Architecture, info: CompressedInfo, stream: bytes) -> bytes:
    """The file. Raises ValueError for a header that `unpack` would refuse."""
    check_info(architecture, info)
    fields = {"cfg": darknet.format_cfg(architecture), **vars(info), "notes": dict(info.notes)}
    header = json.dumps(fields, allow_nan=False).encode()
    if len(header) > MAX_HEADER:
        raise ValueError(f"a header of {len(header)} bytes, expected at most {MAX_HEADER}; shorten names or notes")
    rest = b"".join((LENGTH.pack(len(header)), header, stream))
    return PRELUDE.pack(MAGIC, VERSION, PRELUDE.size + len(rest), hashlib.sha256(rest).digest()) + rest


def unpack(data: bytes, path: Path) -> tuple[Architecture, CompressedInfo, memoryview]:
    """What `pack` was given. Raises ValueError, with `path`, for anything else; the stream is not checked."""
    header, stream = _split(memoryview(data), path)
    architecture, info = _parse_header(header, path)
    return architecture, info, stream


def check_info(architecture: Architecture, info: CompressedInfo) -> None:
    """Raises ValueError for values that no header can have; the same when written and when read."""
    for index, name in enumerate(info.names):
        darknet.check_name(name, f"names[{index}]")
    last = architecture.layers[-1]
    if info.names and isinstance(last, Region) and len(info.names) != last.classes:
        raise ValueError(f"{len(info.names)} names, expected {last.classes}, one for each class, or none")
    if not 0 <= info.seen < 2**63:
        raise ValueError(f"seen={str(info.seen)[:40]}, expected 0..{2**63 - 1}")
    for key, note in info.notes.items():
        if not isinstance(key, str) or not _is_note(note):
            raise ValueError(f"a note {str(key)[:40]!r} of another kind, expected text or a finite number")


def _split(data: memoryview, path: Path) -> tuple[bytes, memoryview]:
    """The header and the coded stream of a file whose length and checksum are right."""
    if len(data) < PRELUDE.size + LENGTH.size or bytes(data[: len(MAGIC)]) != MAGIC:
        raise ValueError(f"{path}: another kind of file, expected {EXPECTED}")
    _, version, length, digest = PRELUDE.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"{path}: version {version} of the format, expected {VERSION}; read it with a newer yolojax")
    if length != len(data):
        raise ValueError(f"{path}: {len(data)} bytes, expected {length}: it is not whole; copy or write it again")
    if hashlib.sha256(data[PRELUDE.size :]).digest() != digest:
        raise ValueError(f"{path}: its checksum is wrong: it is damaged; copy or write it again")
    (size,) = LENGTH.unpack_from(data, PRELUDE.size)
    start = PRELUDE.size + LENGTH.size
    if size > min(len(data) - start, MAX_HEADER):
        raise ValueError(f"{path}: a header of {size} bytes, expected {EXPECTED}")
    return bytes(data[start : start + size]), data[start + size :]


def _parse_header(header: bytes, path: Path) -> tuple[Architecture, CompressedInfo]:
    try:
        found = json.loads(header.decode())
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: its header is not JSON, expected {EXPECTED}") from None
    problem = _header_problem(found)
    if problem:
        raise ValueError(f"{path}: {problem} in its header, expected {EXPECTED}")
    architecture = darknet.parse_cfg(found.pop("cfg"), str(path))
    found |= {"names": tuple(found["names"]), "nonzeros": tuple(found["nonzeros"])}
    info = CompressedInfo(**found)
    try:
        check_info(architecture, info)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return architecture, info


def _header_problem(found: object) -> str:
    """What is wrong with the kinds of values in a header; empty for nothing."""
    if not isinstance(found, dict) or found.keys() != FIELDS.keys():
        return "other fields"
    for name, kind in FIELDS.items():
        if type(found[name]) is not kind:
            return f"{name} of another kind"
    if found["values"] not in VALUES:
        return f"values={found['values'][:40]!r}"
    if not all(isinstance(name, str) for name in found["names"]):
        return "names of another kind"
    if not all(type(count) is int for count in found["nonzeros"]):
        return "nonzeros of another kind"
    return ""


def _is_note(note: object) -> bool:
    return note is None or isinstance(note, str | int) or (isinstance(note, float) and math.isfinite(note))
