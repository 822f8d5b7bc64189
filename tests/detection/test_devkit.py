import numpy as np
import pytest

from yolojax import detection

NAMES, IDS = ["cat", "dog"], ["000001", "000002", "000003"]


def write(folder, **files):
    for name, text in files.items():
        (folder / f"comp4_det_test_{name}.txt").write_text(text)


def test_read(tmp_path):
    write(tmp_path, cat="000003 0.5 1 2 3 4\n000001 0.25 1.5 2.5 3.5 4.5\n", dog="000003 1e-3 5 6 7 8\n")
    first, second, third = detection.read_detections(tmp_path, NAMES, IDS)
    np.testing.assert_array_equal(first.boxes, [[1.5, 2.5, 3.5, 4.5]])
    np.testing.assert_array_equal(first.scores, [0.25])
    assert second.boxes.shape == (0, 4)
    np.testing.assert_array_equal(third.boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(third.scores, [0.5, 1e-3])
    np.testing.assert_array_equal(third.labels, [0, 1])
    assert third.labels.dtype == np.int32


def test_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    images = []
    for count in (4, 0, 3):
        labels = np.sort(rng.integers(0, 2, count)).astype(np.int32)
        images.append(detection.Detections(rng.uniform(1, 500, (count, 4)), rng.uniform(0.01, 1, count), labels))
    detection.write_detections(tmp_path / "new", NAMES, IDS, images)
    detection.write_detections(tmp_path / "new", NAMES, IDS, images)  # replaces what is there
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "comp4_det_test_cat.txt",
        "comp4_det_test_dog.txt",
    ]
    for before, after in zip(images, detection.read_detections(tmp_path / "new", NAMES, IDS), strict=True):
        np.testing.assert_allclose(after.boxes, before.boxes, rtol=0, atol=1e-5)
        np.testing.assert_allclose(after.scores, before.scores, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(after.labels, before.labels)


def test_write_of_one_line(tmp_path):
    found = detection.Detections(np.array([[1, 2.5, 30, 40]]), np.float32([0.5]), np.int32([1]))
    detection.write_detections(tmp_path, NAMES, IDS[:1], [found])
    assert (tmp_path / "comp4_det_test_cat.txt").read_text() == ""
    text = (tmp_path / "comp4_det_test_dog.txt").read_text()
    assert text == "000001 0.500000000 1.000000 2.500000 30.000000 40.000000\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("000002 0.5 1 2 3", "5 fields, expected 6: image score xmin ymin xmax ymax"),
        ("", "0 fields, expected 6: image score xmin ymin xmax ymax"),
        ("000002 0.5 1 2 3 4 5", "7 fields, expected 6: image score xmin ymin xmax ymax"),
        ("000002 0.5 1 2 3 four", "'four' is not a finite number"),
        ("000002 nan 1 2 3 4", "'nan' is not a finite number"),
        ("000002 0.5 1 inf 3 4", "'inf' is not a finite number"),
        ("000009 0.5 1 2 3 4", "image '000009' is not in the split"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    write(tmp_path, cat=f"000001 0.5 1 2 3 4\n{line}\n000001 0.5 1 2 3 4\n", dog="")
    with pytest.raises(ValueError, match=r"comp4_det_test_cat\.txt:2: ") as caught:
        detection.read_detections(tmp_path, NAMES, IDS)
    assert str(caught.value) == f"{tmp_path / 'comp4_det_test_cat.txt'}:2: {message}"


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "det_cat.txt").write_bytes(b"000001 0.5 1 2 3 4\n\xff\xfe 1 1 1 1 1\n")
    with pytest.raises(ValueError, match=r"det_cat\.txt:2: image '.*' is not in the split"):
        detection.read_detections(tmp_path, ["cat"], IDS)


def test_classes_without_a_file_are_listed(tmp_path):
    write(tmp_path, cat="")
    with pytest.raises(ValueError, match=r"no file \*_CLASS\.txt for dog, sofa") as caught:
        detection.read_detections(tmp_path, ["dog", "cat", "sofa"], IDS)
    assert str(tmp_path) in str(caught.value)


def test_two_files_of_one_class(tmp_path):
    write(tmp_path, cat="")
    (tmp_path / "comp3_det_test_cat.txt").write_text("")
    with pytest.raises(ValueError, match=r"comp3_det_test_cat\.txt and comp4_det_test_cat\.txt are both of class cat"):
        detection.read_detections(tmp_path, ["cat"], IDS)


def test_classes_with_files(tmp_path):
    write(tmp_path, dog="", cat="")
    (tmp_path / "readme.txt").write_text("")
    assert detection.classes_with_files(tmp_path) == ("cat", "dog")


def test_an_underscore_in_a_class(tmp_path):
    write(tmp_path, red_light="000001 0.5 1 2 3 4\n", green_light="")
    assert detection.classes_with_files(tmp_path) == ("green_light", "red_light")
    assert len(detection.read_detections(tmp_path, ["red_light"], IDS)[0].scores) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine_red_light.txt").write_text("000001 0.5 1 2 3 4\n")  # not the devkit's prefix: the names decide
    assert detection.classes_with_files(other) == ("light",)
    assert len(detection.read_detections(other, ["red_light"], IDS)[0].scores) == 1


@pytest.mark.parametrize("name", [".", "absent"])
def test_a_folder_without_devkit_files(tmp_path, name):
    with pytest.raises(ValueError, match="no devkit files"):
        detection.classes_with_files(tmp_path / name)


def test_lengths_must_agree(tmp_path):
    with pytest.raises(ValueError, match="detections of 0 images for 3 ids"):
        detection.write_detections(tmp_path, NAMES, IDS, [])
    assert list(tmp_path.iterdir()) == []


def test_many_lines(tmp_path):
    write(tmp_path, cat="000002 0.123456 286.523041 120.922638 307.439728 159.183990\n" * 100_000, dog="")
    found = detection.read_detections(tmp_path, NAMES, IDS)
    assert found[1].boxes.shape == (100_000, 4)


def test_classes_with_underscores(tmp_path):
    """`light` has no file, though the name of another class's file ends like one."""
    names = ("red_light", "traffic_light")
    found = detection.Detections(np.array([[1.0, 2, 3, 4]]), np.array([0.5]), np.int32([1]))
    detection.write_detections(tmp_path, names, ["a"], [found])
    assert detection.classes_with_files(tmp_path) == names
    np.testing.assert_array_equal(detection.read_detections(tmp_path, names, ["a"])[0].labels, [1])
    with pytest.raises(ValueError, match=r"no file \*_CLASS\.txt for light"):
        detection.read_detections(tmp_path, ["light"], ["a"])


def test_another_prefix_takes_the_longest_name_that_fits(tmp_path):
    (tmp_path / "mine_red_light.txt").write_text("a 0.5 1 2 3 4\n")
    (tmp_path / "mine_light.txt").write_text("")
    (image,) = detection.read_detections(tmp_path, ["light", "red_light"], ["a"])
    np.testing.assert_array_equal(image.labels, [1])
