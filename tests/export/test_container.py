import hashlib
import json
import struct

import pytest

from yolojax import darknet
from yolojax.export.container import MAX_HEADER, CompressedInfo, pack, unpack
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Region

ARCHITECTURE = Architecture(Net(8, 8), (Maxpool(2, 2, 1), Convolutional(7), Region(((1.0, 1.5),), 2)))
INFO = CompressedInfo("float16", ("a", "ü"), 12345678901, (21,), {"mAP": 0.5, "data": "voc", "images": 7, "none": None})
STREAM = b"12345678"


def sealed(header, stream=STREAM) -> bytes:
    """A file with any header and a right length and checksum, made without the code under test."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    rest = struct.pack("<I", len(header)) + header + stream
    return struct.pack("<7sBQ", b"yolojax", 1, 48 + len(rest)) + hashlib.sha256(rest).digest() + rest


def header_of(data: bytes) -> dict:
    (size,) = struct.unpack_from("<I", data, 48)
    return json.loads(data[52 : 52 + size])


def test_there_and_back():
    architecture, info, stream = unpack(pack(ARCHITECTURE, INFO, STREAM), "n.yolojax")
    assert (architecture, info, bytes(stream)) == (ARCHITECTURE, INFO, STREAM)


def test_the_layout_is_the_documented_one():
    data = pack(ARCHITECTURE, INFO, STREAM)
    header = header_of(data)
    assert darknet.parse_cfg(header["cfg"]) == ARCHITECTURE
    assert (header["names"], header["seen"], header["nonzeros"]) == (["a", "ü"], 12345678901, [21])
    assert data == sealed(data[52:-8])


def test_every_damaged_byte_and_every_cut_is_refused():
    data = pack(ARCHITECTURE, INFO, STREAM)
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= flip
            with pytest.raises(ValueError, match=r"^n\.yolojax: .*(expected|damaged)"):
                unpack(bytes(damaged), "n.yolojax")
        with pytest.raises(ValueError, match=r"^n\.yolojax: (another kind of file|.* bytes, expected .*not whole)"):
            unpack(data[:position], "n.yolojax")
    with pytest.raises(ValueError, match="it is not whole"):
        unpack(data + b"\0", "n.yolojax")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cfg": 3}, "cfg of another kind"),
        ({"cfg": "[net]\nwidth=8"}, r"n\.yolojax:1: "),
        ({"values": "bfloat16"}, "values='bfloat16' in its header"),
        ({"names": "ab"}, "names of another kind"),
        ({"names": [1, 2]}, "names of another kind"),
        ({"names": ["a"]}, "1 names, expected 2, one for each class"),
        ({"names": ["a", "\x1b[31m"]}, "expected a class name"),
        ({"seen": -1}, "seen=-1, expected 0"),
        ({"seen": True}, "seen of another kind"),
        ({"seen": 10**200}, "seen=1000"),
        ({"nonzeros": {}}, "nonzeros of another kind"),
        ({"nonzeros": [1.0]}, "nonzeros of another kind"),
        ({"notes": {"a": [1]}}, "a note 'a' of another kind"),
        ({"notes": {"a": float("nan")}}, "a note 'a' of another kind"),
        ({"notes": []}, "notes of another kind"),
        ({"more": 1}, "other fields"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")  # a note may be of any kind
def test_headers_with_other_values_are_refused(changes, message):
    header = header_of(pack(ARCHITECTURE, INFO, STREAM)) | changes
    with pytest.raises(ValueError, match=message) as caught:
        unpack(sealed(header), "n.yolojax")
    assert str(caught.value).startswith("n.yolojax")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("header", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"cfg": ' + b"9" * 5000 + b"}", b"[]"])
def test_headers_that_are_no_header_are_refused(header):
    with pytest.raises(ValueError, match=r"^n\.yolojax: .*expected a compressed network that yolojax wrote$"):
        unpack(sealed(header), "n.yolojax")


def test_a_header_longer_than_the_file_is_refused():
    data = bytearray(sealed(b"{}"))
    data[48:52] = struct.pack("<I", 1 << 31)
    data[16:48] = hashlib.sha256(data[48:]).digest()
    with pytest.raises(ValueError, match="a header of 2147483648 bytes"):
        unpack(bytes(data), "n.yolojax")
    with pytest.raises(ValueError, match=f"a header of {MAX_HEADER + 1} bytes"):
        unpack(sealed(b" " * (MAX_HEADER + 1)), "n.yolojax")


def test_another_version_says_so():
    data = bytearray(pack(ARCHITECTURE, INFO, STREAM))
    data[7] = 2
    with pytest.raises(ValueError, match="version 2 of the format, expected 1"):
        unpack(bytes(data), "n.yolojax")


def test_what_a_header_cannot_hold_is_not_written():
    long = CompressedInfo("float32", (), 0, (21,), {"text": "x" * MAX_HEADER})
    with pytest.raises(ValueError, match="shorten names or notes"):
        pack(ARCHITECTURE, long, STREAM)
    with pytest.raises(ValueError, match="a note 'map' of another kind"):
        pack(ARCHITECTURE, CompressedInfo("float32", (), 0, (21,), {"map": float("inf")}), STREAM)
