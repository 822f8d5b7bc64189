"""docs/input.md, line by line: what a user sees of a wrong or hostile file, within bounds of memory and time."""

import hashlib
import json
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys
import time
import tracemalloc
import types
import zlib

import cv2
import jax
import ml_collections
import numpy as np
import pytest
from absl import flags
from ml_collections import config_flags

from tests import helpers
from yolojax import cli, darknet, data, detection, masking, network, training
from yolojax.data.images import MAX_IMAGE_BYTES
from yolojax.export import compressed, container, stored

ROOT = pathlib.Path(__file__).parents[1]
MAX_SECONDS = 10  # on a machine that does other work too
MAX_MEGABYTES = 300
LINE = re.compile(r"\| (?P<file>[^|]+) \| (?P<wrong>[^|]+) \| `(?P<sees>[^`]+)`[^|]* \|")
NAMES = ("blue", "red")
CASES = {}


def rows():
    """{(file, what is wrong): what the user sees} of the table in the docs."""
    found = [LINE.fullmatch(line) for line in (ROOT / "docs" / "input.md").read_text().splitlines()]
    return {(row["file"], row["wrong"]): row["sees"] for row in found if row and row["file"] != "file"}


def case(file, wrong):
    """Registers the function that makes one such file and reads it."""

    def register(function):
        assert (file, wrong) not in CASES
        CASES[file, wrong] = function
        return function

    return register


class Good:
    """Whole files of each kind, to be damaged; `folder` is the test's own copy of them."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def text(self, name):
        return (self.folder / name).read_text()

    def bytes(self, name):
        return (self.folder / name).read_bytes()

    def long(self, name, size):
        """A file that takes no room on the disk."""
        with open(self.folder / name, "wb") as file:
            file.truncate(size)
        return self.folder / name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    darknet.save(architecture, variables, folder / "m.cfg", folder / "m.weights", seen=3)
    (folder / "m.names").write_text("\n".join(NAMES))
    training.save_model(folder / "checkpoint", network.Model(architecture, variables, NAMES))
    helpers.make_devkit(folder / "devkit", count=3)
    (folder / "found").mkdir()
    for name in NAMES:
        (folder / "found" / f"comp4_det_test_{name}.txt").write_text("000001 0.5 3 4 20 30\n")
    conv = {"size": 8, "map_11point": [0.4, 0.1]}
    analysis = {"method": "filter", "amounts": [0.2, 0.5], "original": 0.5, "total": 60, "layers": {"conv_00": conv}}
    (folder / "sensitivity.json").write_text(json.dumps(analysis))
    return folder


@pytest.fixture
def good(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "w")
    return Good(tmp_path / "w")


def test_the_docs_and_the_tests_have_the_same_lines():
    assert rows().keys() == CASES.keys()


def run(function, arguments, capsys):
    """The line on stderr with which a command would end; "read" when nothing is raised."""
    try:
        try:
            function(*arguments)
        except (ValueError, OSError) as error:
            cli.fail(error)
    except SystemExit as leaving:
        (line,) = capsys.readouterr().err.splitlines()
        return line if leaving.code == 2 else f"exit code {leaving.code}: {line}"
    return "read"


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # ml_collections
@pytest.mark.parametrize("key", CASES, ids=lambda key: f"{key[0]}: {key[1]}")
def test_line(key, good, capsys, monkeypatch):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    start = time.perf_counter()
    try:
        seen = run(CASES[key], [good, monkeypatch] if key[0] == "config" else [good], capsys)
    finally:
        seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(seen.replace(str(good.folder), "")) < 400
    expected = ".*".join(map(re.escape, rows()[key].split("…")))
    assert re.fullmatch(expected, seen), seen
    assert seconds < MAX_SECONDS
    assert peak < MAX_MEGABYTES << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_MEGABYTES << 10


# cfg


def read_cfg(good, content):
    return darknet.read_cfg(good.write("m.cfg", content))


def layers(*sections, net="width=32\nheight=32\nchannels=3"):
    return "\n".join([f"[net]\n{net}", *sections])


CONV = "[convolutional]\nfilters={}\nsize={}\nstride={}\nactivation=linear\n"


@case("cfg", "empty")
def _(good):
    read_cfg(good, "")


@case("cfg", "truncated")
def _(good):
    read_cfg(good, good.text("m.cfg")[:80])


@case("cfg", "too long")
def _(good):
    darknet.read_cfg(good.long("m.cfg", 1 << 40))


@case("cfg", "another kind of file")
def _(good):
    read_cfg(good, good.bytes("m.weights"))


@case("cfg", "not UTF-8")
def _(good):
    read_cfg(good, "# café\n".encode("latin-1") + good.bytes("m.cfg"))


@case("cfg", "a folder")
def _(good):
    darknet.read_cfg(good.folder)


@case("cfg", "a pipe")
def _(good):
    os.mkfifo(good.folder / "pipe")
    darknet.read_cfg(good.folder / "pipe")


@case("cfg", "a million layers")
def _(good):
    read_cfg(good, layers("[reorg]\n" * 1_000_000))


@case("cfg", "as many layers as fit")
def _(good):
    read_cfg(good, layers("[reorg]\n" * 130_000))


@case("cfg", "10^12 filters")
def _(good):
    read_cfg(good, layers(CONV.format(10**12, 1, 1)))


@case("cfg", "2^31 - 1 filters")
def _(good):
    read_cfg(good, layers(CONV.format(2**31 - 1, 1, 1)))


@case("cfg", "many layers of many filters")
def _(good):
    read_cfg(good, layers(*[CONV.format(20_000, 3, 1)] * 3, net="width=8\nheight=8\nchannels=3"))


@case("cfg", "a negative size")
def _(good):
    read_cfg(good, layers(CONV.format(8, -3, 1)))


@case("cfg", "an input of 10^10 pixels")
def _(good):
    read_cfg(good, layers(CONV.format(8, 3, 1), net="width=100000\nheight=100000\nchannels=3"))


@case("cfg", "a pool over 10^5 pixels a side")
def _(good):
    read_cfg(good, layers("[maxpool]\nsize=100000\nstride=1", net="width=416\nheight=416\nchannels=3"))


@case("cfg", "strides that multiply without end")
def _(good):
    read_cfg(good, layers(*[CONV.format(1, 1, 2**31 - 1)] * 900))


@case("cfg", "routes that double the channels")
def _(good):
    read_cfg(good, layers(CONV.format(1, 1, 1), *["[route]\nlayers=-1,-1"] * 900))


@case("cfg", "10^6 classes")
def _(good):
    region = "[region]\nanchors=1,1\nnum=1\nclasses=1000000\nsoftmax=1\nbias_match=1"
    read_cfg(good, layers(CONV.format(1000005, 1, 32), region))


@case("cfg", "NaN for a number")
def _(good):
    read_cfg(good, good.text("m.cfg").replace("anchors=0.6", "anchors=nan"))


@case("cfg", "infinity for a number")
def _(good):
    read_cfg(good, good.text("m.cfg").replace("thresh=0.6", "thresh=1e999"))


@case("cfg", "an option twice, with two values")
def _(good):
    read_cfg(good, good.text("m.cfg").replace("filters=4\n", "filters=4\nfilters=5\n"))


@case("cfg", "an option twice, with one value")
def _(good):
    assert read_cfg(good, good.text("m.cfg").replace("filters=4\n", "filters=4\nfilters=4\n"))


@case("cfg", "a line of a million characters")
def _(good):
    read_cfg(good, "[net]\n" + "x" * 1_000_000)


# weights


def open_weights(good, content=None):
    if content is not None:
        good.write("m.weights", content)
    return training.open_model(str(good.folder / "m.weights"))


def with_first_bias(content, value):
    return content[:20] + struct.pack("<f", value) + content[24:]


@case("weights", "empty")
def _(good):
    open_weights(good, b"")


@case("weights", "truncated")
def _(good):
    open_weights(good, good.bytes("m.weights")[:-5])


@case("weights", "too long")
def _(good):
    good.long("m.weights", 1 << 40)
    open_weights(good)


@case("weights", "of another network")
def _(good):
    good.write("m.cfg", good.text("m.cfg").replace("filters=4\n", "filters=8\n"))
    open_weights(good)


@case("weights", "another kind of file")
def _(good):
    open_weights(good, "<html>404 Not Found</html>" * 100)


@case("weights", "a folder")
def _(good):
    (good.folder / "m.weights").unlink()
    (good.folder / "m.weights").mkdir()
    open_weights(good)


@case("weights", "no .cfg for it")
def _(good):
    (good.folder / "m.cfg").unlink()
    open_weights(good)


@case("weights", "NaN")
def _(good):
    open_weights(good, with_first_bias(good.bytes("m.weights"), np.nan))


@case("weights", "infinity")
def _(good):
    open_weights(good, with_first_bias(good.bytes("m.weights"), np.inf))


@case("weights", "a negative variance")
def _(good):
    content = good.bytes("m.weights")
    at = 20 + 3 * 8 * 4  # after bias, scale and mean of eight filters
    open_weights(good, content[:at] + struct.pack("<f", -1.0) + content[at + 4 :])


@case("weights", "-5 images seen")
def _(good):
    content = good.bytes("m.weights")
    open_weights(good, content[:12] + struct.pack("<q", -5) + content[20:])


@case("weights", "a .cfg that asks for 1.8 GB")
def _(good):
    good.write("m.cfg", layers(CONV.format(15_000, 1, 8), CONV.format(30_000, 1, 1)))
    open_weights(good)


# checkpoint


def load(good, **meta):
    """Loads the checkpoint with values of its meta changed."""
    path = good.folder / "checkpoint/0/meta/metadata"
    if meta:
        path.write_text(json.dumps(json.loads(path.read_text()) | meta))
    return training.load_model(good.folder / "checkpoint")


@case("checkpoint", "missing")
def _(good):
    training.load_model(good.folder / "nowhere")


@case("checkpoint", "empty")
def _(good):
    (good.folder / "e").mkdir()
    training.load_model(good.folder / "e")


@case("checkpoint", "truncated")
def _(good):
    files = [path for path in (good.folder / "checkpoint/0/state").rglob("*") if path.is_file()]
    for path in files:
        os.truncate(path, path.stat().st_size // 2)
    load(good)


@case("checkpoint", "no text of the architecture")
def _(good):
    (good.folder / "checkpoint/0/meta/metadata").unlink()
    load(good)


@case("checkpoint", "binary garbage for JSON")
def _(good):
    good.write("checkpoint/0/meta/metadata", bytes(range(256)))
    load(good)


@case("checkpoint", "a list for an object")
def _(good):
    good.write("checkpoint/0/meta/metadata", "[1, 2]")
    load(good)


@case("checkpoint", "JSON nested 100,000 deep")
def _(good):
    good.write("checkpoint/0/meta/metadata", "[" * 100_000)
    load(good)


@case("checkpoint", "a million layers")
def _(good):
    load(good, cfg=layers("[reorg]\n" * 1_000_000))


@case("checkpoint", "names that are no text")
def _(good):
    load(good, names=[1, 2])


@case("checkpoint", "10^30 images seen")
def _(good):
    load(good, seen=10**30)


@case("checkpoint", "of another network")
def _(good):
    load(good, cfg=good.text("m.cfg").replace("filters=4\n", "filters=8\n"))


@case("checkpoint", "an array of 10^12 values in a few bytes")
def _(good):
    tensorstore = pytest.importorskip("tensorstore")
    base = {"driver": "ocdbt", "base": f"file://{good.folder}/checkpoint/0/state/"}
    store = tensorstore.KvStore.open(base).result()
    key = b"params.conv_00.bias/.zarray"
    array = json.loads(store.read(key).result().value)
    store.write(key, json.dumps(array | {"shape": [10**12], "chunks": [10**12]}).encode()).result()
    load(good)


@case("checkpoint", "NaN in the weights")
def _(good):
    model = load(good)
    params = jax.tree.map(np.array, model.variables["params"])
    params["conv_02"]["kernel"][0, 0, 0, 0] = np.nan
    variables = {**model.variables, "params": params}
    training.save_model(good.folder / "nan", network.Model(model.architecture, variables, NAMES))
    training.load_model(good.folder / "nan")


# compressed file


def compressed_bytes(good):
    """The bytes of a small one."""
    pytest.importorskip("constriction")
    architecture, variables = darknet.load(good.folder / "m.cfg", good.folder / "m.weights")
    compressed.write_compressed(good.folder / "m.yolojax", architecture, variables, names=NAMES)
    return good.bytes("m.yolojax")


def read_compressed(good, content):
    return compressed.read_compressed(good.write("m.yolojax", content))


def with_header(content, change):
    """The file with another header, and lengths and checksum that fit."""
    at = container.PRELUDE.size + container.LENGTH.size
    (size,) = container.LENGTH.unpack_from(content, container.PRELUDE.size)
    header = change(content[at : at + size])
    rest = container.LENGTH.pack(len(header)) + header + content[at + size :]
    digest, length = hashlib.sha256(rest).digest(), container.PRELUDE.size + len(rest)
    return container.PRELUDE.pack(container.MAGIC, container.VERSION, length, digest) + rest


def with_field(content, **fields):
    return with_header(content, lambda header: json.dumps(json.loads(header) | fields).encode())


@case("compressed file", "empty")
def _(good):
    read_compressed(good, b"")


@case("compressed file", "truncated")
def _(good):
    read_compressed(good, compressed_bytes(good)[:-9])


@case("compressed file", "too long")
def _(good):
    compressed.read_compressed(good.long("m.yolojax", 1 << 40))


@case("compressed file", "another kind of file")
def _(good):
    read_compressed(good, jpeg(good))


@case("compressed file", "a bit changed")
def _(good):
    content = bytearray(compressed_bytes(good))
    content[-50] ^= 4
    read_compressed(good, bytes(content))


@case("compressed file", "JSON nested 100,000 deep")
def _(good):
    read_compressed(good, with_header(compressed_bytes(good), lambda _: b"[" * 100_000))


@case("compressed file", "a million layers")
def _(good):
    read_compressed(good, with_field(compressed_bytes(good), cfg=layers("[reorg]\n" * 200_000)))


@case("compressed file", "10^12 filters")
def _(good):
    read_compressed(good, with_field(compressed_bytes(good), cfg=layers(CONV.format(10**12, 1, 1))))


@case("compressed file", "a few bytes for 1.8 GB of zeros")
def _(good):
    cfg = layers(CONV.format(15_000, 1, 8), CONV.format(30_000, 1, 1))
    read_compressed(good, with_field(compressed_bytes(good), cfg=cfg, names=[], nonzeros=[0, 0]))


@case("compressed file", "a negative count")
def _(good):
    content = compressed_bytes(good)
    read_compressed(good, with_field(content, nonzeros=[-5] * 7))


# image


def png(width, height):
    """A PNG that says so, with one row."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def jpeg(good):
    return good.bytes("devkit/JPEGImages/000001.jpg")


def read_image(good, content):
    return data.read_image(good.write("photo.jpg", content))


@case("image", "missing")
def _(good):
    data.read_image(good.folder / "photo.jpg")


@case("image", "empty")
def _(good):
    read_image(good, b"")


@case("image", "truncated")
def _(good):
    read_image(good, jpeg(good)[:-200])


@case("image", "too long")
def _(good):
    data.read_image(good.long("photo.jpg", MAX_IMAGE_BYTES + 1))


@case("image", "another kind of file")
def _(good):
    read_image(good, b"GIF89a" + bytes(100))


@case("image", "10^10 pixels")
def _(good):
    read_image(good, png(100_000, 100_000))


@case("image", "a JPEG of 65,500 pixels a side")
def _(good):
    content, size = jpeg(good), struct.pack(">HH", 65500, 65500)
    at = content.index(b"\xff\xc0") + 5
    read_image(good, content[:at] + size + content[at + 4 :])


@case("image", "a progressive JPEG of 3,000 scans")
def _(good):
    image = np.zeros((1000, 1000, 3), np.uint8)
    content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    first = content.index(b"\xff\xda")
    second = content.index(b"\xff\xda", first + 2)
    read_image(good, content[:second] + content[first:second] * 3_000 + content[second:])


@case("image", "a PNG chunk of 4 GB in a few bytes")
def _(good):
    content = png(8, 8)
    at = content.index(b"IDAT") - 4
    read_image(good, content[:at] + b"\xff\xff\xff\x00" + content[at + 4 :])


@case("image", "bytes after its end")
def _(good):
    assert read_image(good, jpeg(good) + b"written by a camera") is not None


@case("image", "in a data set: cannot be read")
def _(good):
    good.write("devkit/JPEGImages/000001.jpg", png(100_000, 100_000))
    tfds = good.folder / "tfds"
    assert len(data.open_dataset(f"devkit:{good.folder / 'devkit'}", "test", data_dir=str(tfds))) == 2


# annotation

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
SIZE = "<size><width>{}</width><height>60</height></size>"
ENTITIES = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha" * 50}">' for i in range(12))


def read_devkit(good):
    return data.read_annotations(good.folder / "devkit", "test", NAMES)


def read_xml(good, content):
    good.write("devkit/Annotations/000001.xml", content)
    return read_devkit(good)


def annotation(*objects, width="60"):
    return f"<annotation>{SIZE.format(width)}{''.join(objects)}</annotation>"


@case("annotation", "missing")
def _(good):
    (good.folder / "devkit/Annotations/000001.xml").unlink()
    read_devkit(good)


@case("annotation", "empty")
def _(good):
    read_xml(good, "")


@case("annotation", "truncated")
def _(good):
    read_xml(good, annotation(OBJECT.format("red", 1))[:-20])


@case("annotation", "too long")
def _(good):
    good.long("devkit/Annotations/000001.xml", 1 << 40)
    read_devkit(good)


@case("annotation", "another kind of file")
def _(good):
    read_xml(good, jpeg(good))


@case("annotation", "other XML")
def _(good):
    read_xml(good, "<svg/>")


@case("annotation", "not UTF-8, and does not say so")
def _(good):
    read_xml(good, annotation(OBJECT.format("café", 1)).encode("latin-1"))


@case("annotation", "entities that expand themselves")
def _(good):
    read_xml(good, f"<!DOCTYPE annotation [{ENTITIES}]>" + annotation(OBJECT.format("&e11;", 1)))


@case("annotation", "an entity that reads a file")
def _(good):
    entity = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    read_xml(good, entity + annotation(OBJECT.format("&x;", 1)))


@case("annotation", "nested 100,000 deep")
def _(good):
    read_xml(good, "<a>" * 100_000)


@case("annotation", "nested 100,000 deep, and closed")
def _(good):
    deep = "<a>" * 100_000 + "</a>" * 100_000
    assert read_xml(good, annotation(OBJECT.format("red", 1), deep))[1].objects.labels.tolist() == [1]


@case("annotation", "NaN for a number")
def _(good):
    read_xml(good, annotation(OBJECT.format("red", "nan")))


@case("annotation", "infinity for a number")
def _(good):
    read_xml(good, annotation(OBJECT.format("red", "1e999")))


@case("annotation", "a width of 10^300")
def _(good):
    read_xml(good, annotation(OBJECT.format("red", 1), width="1e300"))


@case("annotation", "a negative size")
def _(good):
    read_xml(good, annotation(OBJECT.format("red", 1), width="-60"))


@case("annotation", "boxes outside the image")
def _(good):
    assert len(read_xml(good, annotation(OBJECT.format("red", -1e30)))[1].objects.boxes) == 1


@case("annotation", "an object twice")
def _(good):
    assert len(read_xml(good, annotation(*[OBJECT.format("red", 1)] * 2))[1].objects.boxes) == 2


@case("annotation", "a class name over several lines")
def _(good):
    read_xml(good, annotation(OBJECT.format("red\nblue", 1)))


@case("annotation", "a class name of 100,000 characters")
def _(good):
    read_xml(good, annotation(OBJECT.format("x" * 100_000, 1)))


# split list


def read_list(good, content):
    good.write("devkit/ImageSets/Main/test.txt", content)
    return read_devkit(good)


@case("split list", "missing")
def _(good):
    (good.folder / "devkit/ImageSets/Main/test.txt").unlink()
    read_devkit(good)


@case("split list", "empty")
def _(good):
    read_list(good, "\n \n")


@case("split list", "truncated")
def _(good):
    read_list(good, "000000\n0000")


@case("split list", "too long")
def _(good):
    good.long("devkit/ImageSets/Main/test.txt", 1 << 40)
    read_devkit(good)


@case("split list", "another kind of file")
def _(good):
    read_list(good, jpeg(good))


@case("split list", "a path that climbs out of its folder")
def _(good):
    read_list(good, "000000\n../../../../etc/passwd\n")


@case("split list", "an absolute path")
def _(good):
    read_list(good, "/etc/passwd\n")


@case("split list", "a name of 100,000 characters")
def _(good):
    read_list(good, "x" * 100_000)


@case("split list", "an image twice")
def _(good):
    assert len(read_list(good, "000000\n000001\n000000\n")) == 2


# detections


def read_found(good, content=None):
    if content is not None:
        good.write("found/comp4_det_test_red.txt", content)
    return detection.read_detections(good.folder / "found", NAMES, ["000000", "000001"])


@case("detections", "no file")
def _(good):
    detection.classes_with_files(good.folder / "devkit")


@case("detections", "no file for a class")
def _(good):
    (good.folder / "found/comp4_det_test_red.txt").unlink()
    read_found(good)


@case("detections", "empty")
def _(good):
    assert len(read_found(good, "")[1].boxes) == 1


@case("detections", "truncated")
def _(good):
    read_found(good, "000001 0.5 3 4 20 30\n000001 0.5 3")


@case("detections", "too long")
def _(good):
    good.long("found/comp4_det_test_red.txt", 1 << 40)
    read_found(good)


@case("detections", "a line without end")
def _(good):
    good.long("found/comp4_det_test_red.txt", 1 << 27)
    read_found(good)


@case("detections", "another kind of file")
def _(good):
    read_found(good, jpeg(good))


@case("detections", "NaN for a number")
def _(good):
    read_found(good, "000001 nan 3 4 20 30\n")


@case("detections", "infinity for a number")
def _(good):
    read_found(good, "000001 0.5 3 4 1e999 30\n")


@case("detections", "of other images")
def _(good):
    read_found(good, "../../etc/passwd 0.5 3 4 20 30\n")


@case("detections", "a detection twice")
def _(good):
    assert len(read_found(good, "000001 0.5 3 4 20 30\n" * 2)[1].boxes) == 3


@case("detections", "two files for a class")
def _(good):
    good.write("found/mine_red.txt", "000001 0.5 3 4 20 30\n")
    read_found(good)


@case("detections", "to be written for a class of another folder")
def _(good):
    detection.write_detections(good.folder / "out", ["../../red"], [], [])


# names


def read_names(good, content):
    return darknet.read_names(good.write("m.names", content))


@case("names", "missing")
def _(good):
    darknet.read_names("nowhere.names")


@case("names", "empty")
def _(good):
    read_names(good, "\n")


@case("names", "truncated")
def _(good):
    good.write("m.names", "blue")
    open_weights(good)


@case("names", "too long")
def _(good):
    darknet.read_names(good.long("m.names", 1 << 40))


@case("names", "another kind of file")
def _(good):
    read_names(good, jpeg(good))


@case("names", "not UTF-8")
def _(good):
    read_names(good, "blue\ncafé\n".encode("latin-1"))


@case("names", "control characters")
def _(good):
    read_names(good, "blue\n\x1b[2Jred\n")


@case("names", "a name of 100,000 characters")
def _(good):
    read_names(good, "x" * 100_000)


@case("names", "100,000 names")
def _(good):
    assert len(read_names(good, "\n".join(map(str, range(100_000))))) == 100_000


@case("names", "a name twice")
def _(good):
    read_names(good, "red\nblue\nred\n")


# config


def parse_config(good, monkeypatch, content=None, *overrides):
    """As a command parses its flags."""
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", None, "The run.", flag_values=values)
    monkeypatch.setattr(cli.flags, "FLAGS", values)
    if content is not None:
        good.write("c.py", content)
    argv = ["train", "--config", str(good.folder / "c.py"), *overrides]
    monkeypatch.setattr(sys, "argv", argv)  # where ml_collections looks for overrides
    cli._parse(argv)
    return values.config


CONFIG = "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({'batch_size': 4})\n"


@case("config", "missing")
def _(good, monkeypatch):
    parse_config(good, monkeypatch).batch_size  # noqa: B018


@case("config", "empty")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, "")


@case("config", "truncated")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG[:40])


@case("config", "another kind of file")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, good.bytes("m.weights"))


@case("config", "not UTF-8")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, "x = 'café'\n".encode("latin-1"))


@case("config", "a mistake in it")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG.replace("ml_collections.Config", "ml_collection.Config"))


@case("config", "an unknown field")
def _(good, monkeypatch):
    parse_config(good, monkeypatch, CONFIG, "--config.batch_sise=8")


@case("config", "a negative batch")
def _(good, monkeypatch):
    training.check_batch_size(parse_config(good, monkeypatch, CONFIG, "--config.batch_size=-8").batch_size)


# sensitivity.json


def read_sensitivity(good, content=None, method="filter", **changes):
    path = good.folder / "sensitivity.json"
    if content is not None:
        good.write("sensitivity.json", content)
    if changes:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    config = ml_collections.ConfigDict({"amounts": str(path), "method": method, "exclude": (), "amount": 0.05})
    return masking.read_amounts(config, helpers.small_architecture())


@case("sensitivity.json", "missing")
def _(good):
    (good.folder / "sensitivity.json").unlink()
    read_sensitivity(good)


@case("sensitivity.json", "empty")
def _(good):
    read_sensitivity(good, "")


@case("sensitivity.json", "truncated")
def _(good):
    read_sensitivity(good, good.text("sensitivity.json")[:-30])


@case("sensitivity.json", "too long")
def _(good):
    good.long("sensitivity.json", 1 << 40)
    read_sensitivity(good)


@case("sensitivity.json", "another kind of file")
def _(good):
    read_sensitivity(good, jpeg(good))


@case("sensitivity.json", "other JSON")
def _(good):
    read_sensitivity(good, "[1, 2]")


@case("sensitivity.json", "nested 100,000 deep")
def _(good):
    read_sensitivity(good, "[" * 100_000)


@case("sensitivity.json", "NaN for a number")
def _(good):
    read_sensitivity(good, original=float("nan"))


@case("sensitivity.json", "a layer of 10^30 filters")
def _(good):
    read_sensitivity(good, layers={"conv_00": {"size": 10**30, "map_11point": [0.4, 0.1]}})


@case("sensitivity.json", "amounts that do not ascend")
def _(good):
    read_sensitivity(good, amounts=[0.5, 0.2])


@case("sensitivity.json", "of another network")
def _(good):
    read_sensitivity(good, layers={"conv_77": {"size": 8, "map_11point": [0.4, 0.1]}})


@case("sensitivity.json", "about another method")
def _(good):
    read_sensitivity(good, method="weight")


# What holds for all of them.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "damage", "message"),
    [
        (("convert", "--model", "m.weights", "--out", "x"), "m.weights", "error: …m.weights: 5 bytes, expected …"),
        (("detect", "--model", "m.weights", "photo.jpg"), "photo.jpg", "error: photo.jpg: cannot be decoded, …"),
        (
            ("convert", "--model", "checkpoint", "--out", "x"),
            "largest in the checkpoint",
            "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it",
        ),
        (
            ("evaluate", "--detections", "found", "--devkit", "devkit"),
            "devkit/Annotations/000001.xml",
            "error: devkit/Annotations/000001.xml: …, expected a devkit annotation in XML",
        ),
    ],
)
def test_a_whole_command_says_one_line_with_exit_code_2(arguments, damage, message, good):
    if damage == "largest in the checkpoint":
        files = [path for path in good.folder.glob("checkpoint/**/*") if path.is_file()]
        largest = max(files, key=lambda path: path.stat().st_size)
        os.truncate(largest, largest.stat().st_size // 2)
    else:
        good.write(damage, b"GIF89")
    result = subprocess.run(
        [sys.executable, "-m", f"yolojax.{arguments[0]}", *arguments[1:]],
        cwd=good.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.strip().split("\n") if "detect:" not in line]  # a bar
    assert re.fullmatch(".*".join(map(re.escape, message.split("…"))), line)


def test_after_a_failed_read_a_closed_loop_is_not_reported_and_everything_else_is(monkeypatch):
    """Whether TensorStore still calls back is a matter of time, so it is called here."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    stored.hush_closed_loop()
    stored.hush_closed_loop()
    other = types.SimpleNamespace(exc_value=RuntimeError("another"))
    sys.unraisablehook(types.SimpleNamespace(exc_value=RuntimeError("Event loop is closed")))
    sys.unraisablehook(other)
    assert reported == [other]


def test_nothing_that_is_read_is_unpickled_or_evaluated():
    forbidden = re.compile(
        r"\b(pickle|marshal|shelve|dill|cloudpickle|joblib|runpy|yaml)\b|allow_pickle=True|np\.load\(|numpy\.load\("
        r"|(?<![\w.])(eval|exec|compile|__import__)\(|\bos\.system\(|shell=True|extractall\("
    )
    for path in sorted((ROOT / "yolojax").rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not forbidden.search(line), f"{path}:{number}: {line.strip()}"
