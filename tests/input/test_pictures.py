"""Folders of pictures without labels in which something is wrong."""

from tests.input.cases import Good, accepted, refused
from yolojax import data

FILE = "folder of pictures"


def read_folder(good: Good, name: str):
    return data.open_dataset(f"images:{good.folder / name}", "test")


@refused("missing", "error: …photos: no such folder, expected a folder of pictures")
def test_missing(good):
    read_folder(good, "photos")


@refused("a file", "error: …m.cfg: no such folder, expected a folder of pictures")
def test_a_file(good):
    read_folder(good, "m.cfg")


@refused("empty", "error: …photos: no picture in it or in the folders below it, expected .jpg, .jpeg, .png files")
def test_empty(good):
    (good.folder / "photos").mkdir()
    read_folder(good, "photos")


@refused(
    "only other files", "error: …found: no picture in it or in the folders below it, expected .jpg, .jpeg, .png files"
)
def test_only_other_files(good):
    read_folder(good, "found")


@refused(
    "only pictures that cannot be read",
    "error: …photos (test): no usable image (2 images that cannot be decoded skipped (first …))",
)
def test_only_pictures_that_cannot_be_read(good):
    (good.folder / "photos").mkdir()
    good.write("photos/a.jpg", b"")
    good.write("photos/b.png", "text")
    read_folder(good, "photos")


@accepted("a picture that ends too early", "it is skipped, and counted in the log")
def test_a_picture_that_ends_too_early(good):
    good.write("devkit/JPEGImages/000001.jpg", good.jpeg()[:-200])
    assert len(read_folder(good, "devkit")) == 2


@accepted("a picture longer than 2^28 bytes", "likewise")
def test_a_picture_longer_than_2_to_the_28(good):
    good.long("devkit/JPEGImages/000001.jpg", 1 << 40)
    assert len(read_folder(good, "devkit")) == 2
