"""Devkit XML: read exactly, refused in one line, cleaned by the table."""

import numpy as np
import pytest

from tests.data.tiny import write_devkit, xml
from yolojax.data import Annotation, AnnotationError, read_annotations
from yolojax.data.annotations import Counts, Found, clean_objects, to_objects
from yolojax.data.devkit import read_names
from yolojax.data.devkit_layout import Part, find_set, read_split
from yolojax.data.devkit_xml import MAX_BYTES, parse_annotation

FULL = b"""<annotation><folder>VOC2007</folder><size><width>353</width><height>500</height><depth>3</depth></size>
<object><name>dog</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>
 <bndbox><xmin>48</xmin><ymin>240.5</ymin><xmax>195</xmax><ymax>371</ymax></bndbox>
 <part><name>head</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part></object>
<object><name> person </name><difficult>1</difficult>
 <bndbox><ymax>498</ymax><xmax>352</xmax><ymin>12</ymin><xmin>8</xmin></bndbox></object></annotation>"""
BOMB = '<?xml version="1.0"{}?><!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><annotation>&y;</annotation>'


def test_parse():
    width, height, found = parse_annotation(FULL, "a.xml")
    assert (width, height) == (353, 500)
    assert found == [
        Found("dog", (48, 240.5, 195, 371), truncated=True, pose="left"),
        Found("person", (8, 12, 352, 498), difficult=True),
    ]


def test_size_and_objects_may_be_absent():
    assert parse_annotation(b"<annotation/>", "a.xml") == (0, 0, [])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (BOMB.format("").encode(), "DOCTYPE"),
        (BOMB.format(' encoding="utf-16"').encode("utf-16"), "DOCTYPE"),
        (b"<annotation>", "no element found"),
        (b"", "no element found"),
        (b"\xff\xd8\xff\xe0", "not well-formed"),
        (b'<?xml version="1.0" encoding="nope"?><annotation/>', "unknown encoding"),
        (b"<html/>", "<html>"),
        (xml(("", 1, 2, 3, 4)), "without a name"),
        (xml(("dog", 1, "two", 3, 4)), "'two'"),
        (xml(("dog", 1, 2, "nan", 4)), "'nan'"),
        (xml(("dog", 1, 2, 3, "")), "<bndbox/ymax>"),
        (xml(("dog", 1, 2, 3, 4), width="wide"), "<size/width>"),
        (b" " * (MAX_BYTES + 1), "more than 1048576 bytes"),
    ],
)
def test_what_is_no_annotation_is_refused_in_one_line(data, says):
    with pytest.raises(AnnotationError) as caught:
        parse_annotation(data, "Annotations/000001.xml")
    message = str(caught.value)
    assert message.startswith("Annotations/000001.xml: ")
    assert says in message
    assert "\n" not in message
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("box", "kept", "said"),
    [
        ((1, 1, 40, 30), (1, 1, 40, 30), ""),
        ((0, 0, 41, 31), (1, 1, 40, 30), ""),  # a devkit that counts from 0
        ((-3, 5, 20, 99), (1, 5, 20, 30), "1 boxes clipped to the image"),
        ((5, 5, 5, 9), None, "1 boxes of no area dropped"),
        ((5.2, 5, 5.4, 9), None, "1 boxes of no area dropped"),  # none in whole pixels
        ((9, 5, 5, 9), None, "1 boxes of no area dropped"),
        ((50, 5, 60, 9), None, "1 boxes outside the image dropped"),
        ((-9, 5, 1, 9), None, "1 boxes outside the image dropped"),
    ],
)
def test_boxes_are_cleaned(box, kept, said):
    counts = Counts()
    usable = clean_objects([Found("dog", box)], 40, 30, ["dog"], counts)
    assert usable == ([] if kept is None else [Found("dog", kept)])
    assert str(counts) == said


def test_an_unknown_class_is_dropped_and_counted():
    counts = Counts()
    found = [Found("cat", (1, 1, 5, 5)), Found("dog", (2, 2, 6, 6), difficult=True), Found("cow", (1, 1, 1, 1))]
    assert clean_objects(found, 40, 30, ["dog"], counts) == found[1:2]
    assert str(counts) == "2 objects of an unknown class dropped"
    assert counts.classes == {"cat": 1, "dog": 1, "cow": 1}


def test_to_objects():
    objects = to_objects([Found("b", (1, 2, 3, 4)), Found("a", (5, 6, 7, 8), difficult=True)], ("a", "b"))
    np.testing.assert_array_equal(objects.boxes, [[1, 2, 3, 4], [5, 6, 7, 8]])
    np.testing.assert_array_equal(objects.labels, [1, 0])
    np.testing.assert_array_equal(objects.difficult, [False, True])
    assert [leaf.dtype for leaf in objects] == [np.float64, np.int32, bool]
    assert [leaf.shape for leaf in to_objects([], ("a",))] == [(0, 4), (0,), (0,)]


def test_a_devkit_is_found_as_such_or_inside(tmp_path):
    inner = write_devkit(tmp_path / "VOCdevkit" / "VOC2007", {}, train="1")
    places = (inner, tmp_path / "VOCdevkit", tmp_path)
    assert [find_set(place).root for place in places] == [inner] * 3
    write_devkit(tmp_path / "VOCdevkit" / "VOC2012", {}, train="1")
    with pytest.raises(ValueError, match=r"2 devkit folders in it, expected one"):
        find_set(tmp_path)
    with pytest.raises(ValueError, match=r"no Annotations/ and ImageSets/Main/ in it"):
        find_set(tmp_path / "elsewhere")


def test_a_list_gives_each_image_once(tmp_path):
    devkit = write_devkit(tmp_path, {})
    (devkit / "ImageSets/Main/val.txt").write_text("000002 -1\n\n000001  1\n000002\n")
    assert read_split(devkit, "validation") == ["000002", "000001"]
    with pytest.raises(ValueError, match=r"train.txt: no such file, so there is no train split; there is validation"):
        read_split(devkit, "train")
    assert read_split(devkit, "val") == ["000002", "000001"]
    with pytest.raises(ValueError, match=r"split 'dev', expected one of train, validation, trainval, test"):
        read_split(devkit, "dev")


@pytest.mark.parametrize("image_id", ["../../secret", "/etc/passwd", "a\\b", ".."])
def test_a_list_cannot_leave_the_folder(tmp_path, image_id):
    devkit = write_devkit(tmp_path, {}, train=f"000001 {image_id}")
    with pytest.raises(ValueError, match=r"train.txt:2: .*expected the name of an image without its folder"):
        read_split(devkit, "train")


def test_names_come_from_the_annotations_sorted(tmp_path):
    files = {"a": (None, xml(("dog", 1, 1, 9, 9), ("cat", 1, 1, 9, 9))), "b": (None, xml(("ant", 1, 1, 9, 9)))}
    devkit = write_devkit(tmp_path, files, train="a b c")

    def part(*ids):
        return Part(devkit / "JPEGImages", devkit / "Annotations", {one: one for one in ids})

    assert read_names("here", [part("a", "b"), part("b", "c")]) == ("ant", "cat", "dog")
    with pytest.raises(ValueError, match="its annotations have no objects"):
        read_names("here", [part("c")])


def test_read_annotations_needs_no_image(tmp_path):
    files = {"a": (None, xml(("dog", 1, 2, 9, 8), ("cat", 1, 1, 9, 9))), "b": (None, xml(width=7, height=5))}
    devkit = write_devkit(tmp_path, files, test="b a", train="c")
    first, second = read_annotations(devkit, "test", ["dog"])
    assert first[:3] == ("b", 7, 5)
    assert len(first.objects.labels) == 0
    assert isinstance(second, Annotation)
    assert second[:3] == ("a", 40, 30)
    np.testing.assert_array_equal(second.objects.boxes, [[1, 2, 9, 8]])
    with pytest.raises(ValueError, match=r"c.xml: no such file, but train lists c"):
        read_annotations(devkit, "train", ["dog"])
    with pytest.raises(ValueError, match=r"test: no class in common: expected owl; the data have cat, dog"):
        read_annotations(devkit, "test", ["owl"])


def test_read_annotations_needs_a_size_and_an_image(tmp_path):
    devkit = write_devkit(tmp_path, {"a": (None, b"<annotation/>")}, train="a", val="")
    with pytest.raises(AnnotationError, match=r"a.xml: a size of 0x0"):
        read_annotations(devkit, "train", ["dog"])
    with pytest.raises(ValueError, match=r"val.txt: lists no image"):
        read_annotations(devkit, "validation", ["dog"])


def test_blood_cells(shared_data):
    annotations = read_annotations(shared_data / "bccd", "trainval", ["Platelets", "RBC", "WBC"])
    assert len(annotations) == 292
    folder = shared_data / "bccd" / "Annotations"
    written = sum((folder / f"{a.image_id}.xml").read_text().count("<object>") for a in annotations)
    assert sum(len(a.objects.labels) for a in annotations) == written - 2  # the two of no area
