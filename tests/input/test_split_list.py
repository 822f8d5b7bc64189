"""Wrong and hostile lists of a devkit's splits."""

from tests.input.cases import NAMES, Good, accepted, refused
from yolojax import data

FILE = "split list"


def read_devkit(good: Good):
    return data.read_annotations(good.folder / "devkit", "test", NAMES)


def read_list(good: Good, content: str | bytes):
    good.write("devkit/ImageSets/Main/test.txt", content)
    return read_devkit(good)


@refused("missing", "error: …/test.txt: no such file, so there is no test split; there is train, validation, trainval")
def test_missing(good):
    (good.folder / "devkit/ImageSets/Main/test.txt").unlink()
    read_devkit(good)


@refused("empty", "error: …/test.txt: lists no image")
def test_empty(good):
    read_list(good, "\n \n")


@refused("truncated", "error: …/0000.xml: no such file, but test lists 0000")
def test_truncated(good):
    read_list(good, "000000\n0000")


@refused("too long", "error: …/test.txt:1: more than 67108864 bytes, expected one image name per line")
def test_too_long(good):
    good.long("devkit/ImageSets/Main/test.txt", 1 << 40)
    read_devkit(good)


@refused("another kind of file", "error: …/test.txt:1: byte 0xff, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_list(good, good.jpeg())


@refused(
    "a path that climbs out of its folder",
    "error: …/test.txt:2: '../../../../etc/passwd', expected the name of an image without its folder",
)
def test_a_path_that_climbs_out_of_its_folder(good):
    read_list(good, "000000\n../../../../etc/passwd\n")


@refused("an absolute path", "error: …/test.txt:1: '/etc/passwd', expected the name of an image without its folder")
def test_an_absolute_path(good):
    read_list(good, "/etc/passwd\n")


@refused(
    "a name of 100,000 characters",
    "error: …/test.txt:1: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', expected the name of an image",
)
def test_a_name_of_100000_characters(good):
    read_list(good, "x" * 100_000)


@accepted("an image twice", "used once")
def test_an_image_twice(good):
    assert len(read_list(good, "000000\n000001\n000000\n")) == 2
