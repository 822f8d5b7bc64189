"""Opening data sets: every kind of bad input, changed folders, concatenation, TFDS's own tfrecord files."""

import json
import os
import pathlib
import shutil
import struct

import numpy as np
import pytest
from array_record.python import array_record_module

from tests.data.conftest import accept_tars
from tests.data.tiny import cmyk_jpeg, jpeg, pack, png, with_exif_orientation, write_devkit, xml
from yolojax import data
from yolojax.data import voc
from yolojax.data.datasets import Concatenated

DOG = ("dog", 3, 4, 20, 28)


def open_devkit(folder: pathlib.Path, split: str = "train", **changes):
    return data.open_dataset(f"devkit:{folder}", split, data_dir=str(folder.parent / "tfds"), **changes)


def ids(dataset) -> list[str]:
    return sorted(annotation.image_id for annotation in dataset.truth())


def test_every_kind_of_bad_input(tmp_path, warned):
    """All in one folder: each is handled as the table in `annotations` says, and the run continues."""
    good = xml(DOG)
    files = {
        "broken": (b"\xff\xd8\xff\xe0 no image", good),
        "cut": (jpeg(200, 150)[:900], good),
        "empty": (b"", good),
        "grey": (png(np.full((30, 40, 3), 99, np.uint8)), good),
        "cmyk": (cmyk_jpeg(), good),
        "turned": (with_exif_orientation(jpeg()), good),
        "no_object": (jpeg(), xml()),
        "no_area": (jpeg(), xml(("dog", 5, 5, 5, 9), DOG)),
        "over_edge": (jpeg(), xml(("dog", -9, 5, 20, 99))),
        "outside": (jpeg(), xml(("dog", 60, 5, 70, 9))),
        "unknown": (jpeg(), xml(("unicorn", 1, 1, 9, 9), DOG)),
        "no_image": (None, good),
        "no_xml": (jpeg(), None),
    }
    folder = write_devkit(tmp_path / "d", files, train=" ".join([*files, "neither"]))
    expected = [
        f"devkit:{folder} train: 1 boxes clipped to the image, 1 boxes of no area dropped, "
        "1 boxes outside the image dropped, 3 images that cannot be decoded skipped (first broken), 3 listed images "
        "missing, or without an annotation, skipped, 1 objects of an unknown class dropped",
        f"devkit:{folder} train: the classes of the data are not those that are wanted\n"
        "  class    objects\n  dog            8\n  unicorn        1  not wanted, dropped",
    ]
    dataset = open_devkit(folder, names=["dog"])
    assert warned() == expected
    truth = {annotation.image_id: annotation for annotation in dataset.truth()}
    assert {image_id: a.objects.boxes.tolist() for image_id, a in truth.items()} == {
        "grey": [[3, 4, 20, 28]],
        "cmyk": [[3, 4, 20, 28]],
        "turned": [[3, 4, 20, 28]],
        "no_object": [],
        "no_area": [[3, 4, 20, 28]],
        "over_edge": [[1, 5, 20, 30]],
        "outside": [],
        "unknown": [[3, 4, 20, 28]],
    }
    assert {annotation[1:3] for annotation in truth.values()} == {(40, 30)}
    batch = next(data.train_batches(dataset, batch_size=8, sizes=(32,), seed=0, augment=data.AugmentConfig()))
    assert len(set(batch["index"].tolist())) == 8
    assert data.box_sizes(dataset).shape == (6, 2)
    open_devkit(folder, names=["dog"])
    assert warned() == expected * 2  # what is prepared already says it again


def test_a_broken_annotation_stops_at_once_and_says_where(tmp_path):
    folder = write_devkit(tmp_path / "d", {"a": (jpeg(), b"<annotation>")}, train="a")
    for names in (["dog"], None):
        with pytest.raises(data.AnnotationError, match=r"a.xml: no element found") as caught:
            open_devkit(folder, names=names)
        assert "\n" not in str(caught.value)


def test_a_split_without_a_usable_image(tmp_path):
    files = {"a": (b"", xml(DOG)), "b": (jpeg(), xml(DOG))}
    folder = write_devkit(tmp_path / "d", files, train="b", val="a", test="")
    with pytest.raises(
        ValueError, match=r"\(validation\): no usable image \(1 images that cannot be decoded skipped \(first a\)\)"
    ):
        open_devkit(folder, "validation")
    with pytest.raises(ValueError, match=r"d has no test split; it has train, validation$"):
        open_devkit(folder, "test")
    with pytest.raises(ValueError, match=r"e has no trainval split; it has test$"):
        open_devkit(write_devkit(tmp_path / "e", files, test="b"), "trainval")
    with pytest.raises(ValueError, match=r"f has no train split; it has none that lists an image$"):
        open_devkit(write_devkit(tmp_path / "f", files), "train")
    assert ids(open_devkit(folder)) == ["b"]  # the other splits do not stand in its way


def test_trainval_is_train_and_validation_where_it_is_not_listed(tmp_path):
    files = {name: (jpeg(seed=i), xml(DOG)) for i, name in enumerate("abc")}
    folder = write_devkit(tmp_path / "d", files, train="a c", val="b")
    assert ids(open_devkit(folder, "trainval")) == ["a", "b", "c"]
    write_devkit(folder, {}, trainval="c b")
    assert ids(open_devkit(folder, "trainval")) == ["b", "c"]
    assert ids(open_devkit(write_devkit(tmp_path / "e", files, train="a c"), "trainval")) == ["a", "c"]


def test_val_is_validation(tmp_path):
    folder = write_devkit(tmp_path / "d", {"a": (jpeg(), xml(DOG))}, val="a")
    dataset = open_devkit(folder, "val")
    assert dataset.description == f"devkit:{folder} validation (1 images)"
    assert ids(dataset) == ["a"]


def test_no_class_in_common_is_an_error_each_time(tmp_path):
    files = {"a": (jpeg(), xml(DOG)), "b": (jpeg(), xml(("cat", 1, 1, 9, 9))), "c": (jpeg(), xml())}
    folder = write_devkit(tmp_path / "d", files, train="a b", val="a c", test="c")
    for _ in range(2):  # what is prepared already as well
        with pytest.raises(ValueError, match=r"train: no class in common: expected owl, cow; the data have cat, dog$"):
            open_devkit(folder, names=("owl", "cow"))
    with pytest.raises(ValueError, match=r"validation: no class in common: expected cat; the data have dog$"):
        open_devkit(folder, "validation", names=("cat",))
    assert len(open_devkit(folder, "trainval", names=("cat",))) == 4  # one of its parts has it
    assert len(open_devkit(folder, "test", names=("cat",))) == 1  # no object at all


def test_a_class_that_is_missing_is_in_the_log(tmp_path, warned):
    folder = write_devkit(tmp_path / "d", {"a": (jpeg(), xml(DOG, DOG))}, train="a")
    open_devkit(folder, names=("dog", "owl"))
    assert warned() == [
        f"devkit:{folder} train: the classes of the data are not those that are wanted\n"
        "  class  objects\n  dog          2\n  owl          0  not in the data"
    ]
    open_devkit(folder)
    assert len(warned()) == 1


def test_long_lists_of_classes_are_cut(tmp_path, warned):
    boxes = [(f"class {i:02}", 1, 1, 9, 9) for i in range(50)]
    folder = write_devkit(tmp_path / "d", {"a": (jpeg(), xml(*boxes))}, train="a")
    open_devkit(folder, names=("class 49",))
    lines = warned()[1].splitlines()
    assert [len(lines), lines[-1]] == [43, "  and 10 more"]
    with pytest.raises(ValueError, match=r"class 39 and 10 more$"):
        open_devkit(folder, names=("owl",))


def test_names_come_from_all_splits_or_from_the_caller(tmp_path):
    files = {"a": (jpeg(), xml(DOG)), "b": (jpeg(), xml(("cat", 1, 1, 9, 9)))}
    folder = write_devkit(tmp_path / "d", files, train="a", val="b", test="")
    assert open_devkit(folder).names == open_devkit(folder, "validation").names == ("cat", "dog")
    dataset = open_devkit(folder, names=("dog", "owl", "cat"))
    assert dataset.names == ("dog", "owl", "cat")
    assert dataset.truth()[0].objects.labels.tolist() == [0]
    assert dataset.description == f"devkit:{folder} train (1 images)"


def test_a_changed_folder_is_prepared_again(tmp_path):
    folder = write_devkit(tmp_path / "d", {"a": (jpeg(), xml(DOG)), "b": (jpeg(), xml(DOG))}, train="a", val="b")
    assert open_devkit(folder).truth()[0].objects.boxes.tolist() == [[3, 4, 20, 28]]
    prepared = tmp_path / "tfds" / "yolojax_devkit"
    before = set(prepared.iterdir())
    assert len(before) == 1
    open_devkit(folder)
    assert set(prepared.iterdir()) == before
    write_devkit(folder, {"a": (jpeg(), xml(("dog", 3, 4, 20, 29)))})
    os.utime(folder / "Annotations" / "a.xml", ns=(1, 1))
    assert open_devkit(folder).truth()[0].objects.boxes.tolist() == [[3, 4, 20, 29]]
    write_devkit(folder, {}, train="a b")
    assert ids(open_devkit(folder)) == ["a", "b"]


def test_records_are_found_in_any_of_several_sources():
    source = Concatenated([[{"image": name} for name in part] for part in (b"ab", b"c", b"def")])
    assert len(source) == 6
    assert bytes(source[i]["image"] for i in range(6)) == b"abcdef"


def test_what_is_held_out(six):
    kept, held = data.hold_out(six, 0.3)
    assert (len(kept), len(held)) == (4, 2)
    names = [[each.image_id(i) for i in range(len(each))] for each in (kept, held)]
    assert sorted(names[0] + names[1]) == [f"{i:06d}" for i in range(6)]
    assert [len(annotation.objects.labels) for annotation in held.truth()] == [int(name) for name in names[1]]
    assert held.description == "2 images held out of six images"
    assert [data.hold_out(six, 0.3)[1].image_id(i) for i in range(2)] == names[1]
    assert [data.hold_out(six, 0.3, seed=1)[1].image_id(i) for i in range(2)] != names[1]
    for share in (0.0, 0.05, 0.95):
        with pytest.raises(ValueError, match=r"six images: a share of .* of its images, expected some and not all"):
            data.hold_out(six, share)


def test_box_sizes(six):
    sizes = data.box_sizes(six)
    assert sizes.shape == (15, 2)
    np.testing.assert_allclose(sizes[0], [20 / 41, 10 / 30])
    np.testing.assert_allclose(sizes[-1], [20 / 45, 10 / 30])


@pytest.mark.parametrize("spec", ["voc2008", "devkit:", "devkit", "voc2007:/x", "images", "shapes:9", ""])
def test_an_unknown_spec(spec, tmp_path):
    expected = "expected voc2007, voc2012, voc0712, devkit:FOLDER, yolo:PATH, coco:PATH, images:FOLDER or shapes"
    with pytest.raises(ValueError, match=expected):
        data.open_dataset(spec, "train", data_dir=str(tmp_path))


def test_an_unknown_split(tmp_path):
    with pytest.raises(ValueError, match="split 'dev', expected one of train, validation, trainval, test"):
        data.open_dataset("shapes", "dev", data_dir=str(tmp_path))


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def tfrecord(data: bytes) -> bytes:
    """One record in TensorFlow's framing: length, its masked CRC, the data, its masked CRC."""

    def masked(part: bytes) -> bytes:
        crc = crc32c(part)
        return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def test_what_tfds_prepared_as_tfrecord_is_read(prepared, tmp_path):
    folder = tmp_path / "voc" / "2007" / "5.0.0"
    shutil.copytree(prepared / "voc" / "2007" / "5.0.0", folder)
    for path in folder.glob("*.array_record-*"):
        records = array_record_module.ArrayRecordReader(str(path)).read_all()
        path.with_name(path.name.replace("array_record", "tfrecord")).write_bytes(b"".join(map(tfrecord, records)))
        path.unlink()
    (folder / "metadata.json").unlink()  # the stock builder writes none
    info = json.loads((folder / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for split in ("train", "validation", "trainval", "test"):
        ours = data.open_dataset("voc2007", split, data_dir=str(tmp_path))
        theirs = data.open_dataset("voc2007", split, data_dir=str(prepared))
        assert ours.names == theirs.names
        assert [str(a) for a in ours.truth()] == [str(a) for a in theirs.truth()]
        assert [ours.source[i]["image"] for i in range(len(ours))] == [
            theirs.source[i]["image"] for i in range(len(theirs))
        ]
        assert ours.image(0).shape == theirs.image(0).shape


def test_real_voc_images_in_the_official_layout(shared_data, tmp_path, monkeypatch):
    devkit = shared_data / "voc2007-mini" / "VOCdevkit" / "VOC2007"
    tars = dict(voc.VocBuilder.BUILDER_CONFIGS[0].filenames)
    for name in tars.values():
        pack(devkit, tmp_path / "downloads" / "manual" / name)
    accept_tars(monkeypatch, tmp_path / "downloads" / "manual")
    dataset = data.open_dataset("voc2007", "test", data_dir=str(tmp_path))
    assert len(dataset) == 80
    written = {a.image_id: a for a in data.read_annotations(devkit, "test", dataset.names)}
    for annotation in dataset.truth():
        assert str(annotation) == str(written.pop(annotation.image_id))
    assert not written
    batch = next(data.eval_batches(dataset, batch_size=4, size=64))
    assert batch["image"].std() > 30
