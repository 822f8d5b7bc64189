"""Wrong and hostile detections in a devkit's format."""

from tests.input.cases import NAMES, Good, accepted, refused
from yolojax import detection

FILE = "detections"


def read_found(good: Good, content: str | bytes | None = None):
    if content is not None:
        good.write("found/comp4_det_test_red.txt", content)
    return detection.read_detections(good.folder / "found", NAMES, ["000000", "000001"])


@refused("without any file", "error: …devkit: no devkit files *_CLASS.txt in it")
def test_without_any_file(good):
    detection.classes_with_files(good.folder / "devkit")


@refused("without a file for a class", "error: …found: no file *_CLASS.txt for red; give only names that have one")
def test_without_a_file_for_a_class(good):
    (good.folder / "found/comp4_det_test_red.txt").unlink()
    read_found(good)


@accepted("empty", "nothing was found")
def test_empty(good):
    assert len(read_found(good, "")[1].boxes) == 1


@refused("truncated", "error: …_red.txt:2: 3 fields, expected 6: image score xmin ymin xmax ymax")
def test_truncated(good):
    read_found(good, "000001 0.5 3 4 20 30\n000001 0.5 3")


@refused("too long", "error: …_red.txt: more than 268435456 bytes, expected the detections of one class")
def test_too_long(good):
    good.long("found/comp4_det_test_red.txt", 1 << 40)
    read_found(good)


@refused("a line without end", "error: …_red.txt:1: 0 fields, expected 6: image score xmin ymin xmax ymax")
def test_a_line_without_end(good):
    good.long("found/comp4_det_test_red.txt", 1 << 27)
    read_found(good)


@refused("another kind of file", "error: …_red.txt:1: 4 fields, expected 6: image score xmin ymin xmax ymax")
def test_another_kind_of_file(good):
    read_found(good, good.jpeg())


@refused("NaN for a number", "error: …_red.txt:1: 'nan' is not a finite number")
def test_nan_for_a_number(good):
    read_found(good, "000001 nan 3 4 20 30\n")


@refused("infinity for a number", "error: …_red.txt:1: '1e999' is not a finite number")
def test_infinity_for_a_number(good):
    read_found(good, "000001 0.5 3 4 1e999 30\n")


@refused("of other images", "error: …_red.txt:1: image '../../etc/passwd' is not in the split")
def test_of_other_images(good):
    read_found(good, "../../etc/passwd 0.5 3 4 20 30\n")


@accepted("a detection twice", "the second is a false positive, as in the devkit")
def test_a_detection_twice(good):
    assert len(read_found(good, "000001 0.5 3 4 20 30\n" * 2)[1].boxes) == 3


@refused("two files for a class", "error: …found: comp4_det_test_red.txt and mine_red.txt are both of class red")
def test_two_files_for_a_class(good):
    good.write("found/mine_red.txt", "000001 0.5 3 4 20 30\n")
    read_found(good)


@refused(
    "written for a class whose name is a path",
    "error: '../../red': a class name that cannot be part of a file's name; rename the class",
)
def test_written_for_a_class_that_is_a_path(good):
    detection.write_detections(good.folder / "out", ["../../red"], [], [])
