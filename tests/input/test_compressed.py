"""Wrong and hostile compressed files."""

import hashlib
import json
from collections.abc import Callable

import pytest

from tests.input.cases import NAMES, Good, cfg_text, convolution, refused
from yolojax import darknet
from yolojax.export import compressed, container

FILE = "compressed file"


def compressed_bytes(good: Good) -> bytes:
    """The bytes of a small one."""
    pytest.importorskip("constriction")
    architecture, variables = darknet.load(good.folder / "m.cfg", good.folder / "m.weights")
    compressed.write_compressed(good.folder / "m.yolojax", architecture, variables, names=NAMES)
    return good.bytes("m.yolojax")


def read_compressed(good: Good, content: bytes):
    return compressed.read_compressed(good.write("m.yolojax", content))


def with_header(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with another header, and lengths and checksum that fit."""
    at = container.PRELUDE.size + container.LENGTH.size
    (size,) = container.LENGTH.unpack_from(content, container.PRELUDE.size)
    header = change(content[at : at + size])
    rest = container.LENGTH.pack(len(header)) + header + content[at + size :]
    digest, length = hashlib.sha256(rest).digest(), container.PRELUDE.size + len(rest)
    return container.PRELUDE.pack(container.MAGIC, container.VERSION, length, digest) + rest


def with_field(content: bytes, **fields: object) -> bytes:
    return with_header(content, lambda header: json.dumps(json.loads(header) | fields).encode())


@refused("empty", "error: …m.yolojax: another kind of file, expected a compressed network that yolojax wrote")
def test_empty(good):
    read_compressed(good, b"")


@refused("truncated", "error: …m.yolojax: … bytes, expected …: it is not whole; copy or write it again")
def test_truncated(good):
    read_compressed(good, compressed_bytes(good)[:-9])


@refused("too long", "error: …m.yolojax: …, expected …")
def test_too_long(good):
    compressed.read_compressed(good.long("m.yolojax", 1 << 40))


@refused(
    "another kind of file",
    "error: …m.yolojax: another kind of file, expected a compressed network that yolojax wrote",
)
def test_another_kind_of_file(good):
    read_compressed(good, good.jpeg())


@refused("a bit changed", "error: …m.yolojax: its checksum is wrong: it is damaged; copy or write it again")
def test_a_bit_changed(good):
    content = bytearray(compressed_bytes(good))
    content[-50] ^= 4
    read_compressed(good, bytes(content))


@refused(
    "JSON nested 100,000 deep",
    "error: …m.yolojax: its header is not JSON, expected a compressed network that yolojax wrote",
)
def test_json_nested_100000_deep(good):
    read_compressed(good, with_header(compressed_bytes(good), lambda _: b"[" * 100_000))


@refused("a million layers", "error: …m.yolojax:1: 1600036 characters, expected a .cfg of at most 1048576")
def test_a_million_layers(good):
    read_compressed(good, with_field(compressed_bytes(good), cfg=cfg_text("[reorg]\n" * 200_000)))


@refused("10^12 filters", "error: …m.yolojax:6: filters=1000000000000, expected an integer of at most 2147483647")
def test_a_trillion_filters(good):
    read_compressed(good, with_field(compressed_bytes(good), cfg=cfg_text(convolution(10**12, 1, 1))))


@refused(
    "a few bytes for 1.8 GB of zeros",
    "error: …m.yolojax: its network takes 1800360000 bytes, expected at most max_bytes=1073741824; "
    "pass more where you trust the file",
)
def test_a_few_bytes_for_1_8_gb_of_zeros(good):
    cfg = cfg_text(convolution(15_000, 1, 8), convolution(30_000, 1, 1))
    read_compressed(good, with_field(compressed_bytes(good), cfg=cfg, names=[], nonzeros=[0, 0]))


@refused("a negative count", "error: …m.yolojax: -5 weights in conv_00, expected 0..216 as in its cfg")
def test_a_negative_count(good):
    content = compressed_bytes(good)
    read_compressed(good, with_field(content, nonzeros=[-5] * 7))
