"""Wrong and hostile files of YOLO's labels."""

from tests.input.cases import NAMES, Good, accepted, refused
from yolojax.data import yolo

FILE = "YOLO labels"


def read_labels(good: Good, content: str | bytes):
    (good.folder / "labels").mkdir()
    good.write("labels/000001.txt", content)
    return read(good)


def read(good: Good):
    (good.folder / "images").mkdir()
    good.write("images/000001.jpg", good.jpeg())
    (builder,) = yolo.builders(str(good.folder), "train", NAMES, str(good.folder / "tfds"))
    return builder.builder_config.listing.read_objects("000001", 60, 40)


@refused("missing for every image", "error: … (train): no image has a file of labels; …000001.txt is the first …")
def test_missing(good):
    read(good)


@accepted("empty", "an image without objects")
def test_empty(good):
    assert read_labels(good, "") == []


@refused("truncated", "error: …000001.txt:2: 3 fields, expected 5: class x y width height")
def test_truncated(good):
    read_labels(good, "0 0.5 0.5 0.2 0.2\n1 0.5 0.")


@refused("too long", "error: …000001.txt: more than 16777216 bytes, expected the labels of one image")
def test_too_long(good):
    (good.folder / "labels").mkdir()
    good.long("labels/000001.txt", 1 << 40)
    read(good)


@refused("another kind of file", "error: …000001.txt:…")
def test_another_kind_of_file(good):
    read_labels(good, good.jpeg())


@refused("a class without a name", "error: …000001.txt:1: class '2', expected 0..1, as there are 2 names")
def test_a_class_without_a_name(good):
    read_labels(good, "2 0.5 0.5 0.2 0.2")


@refused("a negative class", "error: …000001.txt:1: class '-1', expected 0..1, as there are 2 names")
def test_a_negative_class(good):
    read_labels(good, "-1 0.5 0.5 0.2 0.2")


@refused("pixels", "error: …000001.txt:1: '30', expected a share of the image's side, from 0 to 1")
def test_pixels(good):
    read_labels(good, "1 30 20 12 8")


@refused("NaN for a number", "error: …000001.txt:1: 'nan', expected a share of the image's side, from 0 to 1")
def test_nan(good):
    read_labels(good, "1 nan 0.5 0.5 0.5")


@accepted("boxes outside the image", "clipped or dropped, and counted in the log")
def test_boxes_outside(good):
    assert len(read_labels(good, "1 1.5 0.5 0.2 0.2\n0 1 1 0.5 0.5")) == 2
