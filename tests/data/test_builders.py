"""The three builders: official tars without TensorFlow, devkit folders, generated shapes, one set of features."""

import json
import logging

import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.object_detection import voc as stock

from tests import helpers
from tests.data.conftest import accept_tars
from tests.data.tiny import FILES, pack, write_devkit
from yolojax import data
from yolojax.data import devkit, shapes, voc


def test_voc_from_the_official_tars(prepared):
    dataset = data.open_dataset("voc2007", "trainval", data_dir=str(prepared))
    assert dataset.names == tuple(stock._VOC_LABELS)
    truth = {annotation.image_id: annotation for annotation in dataset.truth()}
    assert sorted(truth) == sorted(FILES)
    assert truth["000007"][1:3] == (31, 41)
    chair = truth["000005"].objects
    np.testing.assert_array_equal(chair.boxes, [[3, 4, 20, 28], [1, 1, 40, 30]])
    assert [dataset.names[label] for label in chair.labels] == ["chair", "dog"]
    assert len(truth["000009"].objects.labels) == 0
    for i, annotation in enumerate(dataset.truth()):
        assert dataset.source[i]["image"] == FILES[annotation.image_id][0]


def test_the_splits_of_voc(prepared):
    def ids(name, split):
        return sorted(a.image_id for a in data.open_dataset(name, split, data_dir=str(prepared)).truth())

    assert ids("voc2007", "train") == ["000005", "000009"]
    assert ids("voc2007", "validation") == ["000007"]
    assert ids("voc2007", "test") == ["000001"]
    assert ids("voc2012", "train") == ids("voc2012", "validation") == ["2008_1"]
    assert ids("voc0712", "train") == ["000005", "000009", "2008_1"]
    assert ids("voc0712", "trainval") == ["000005", "000007", "000009", "2008_1", "2008_1"]
    assert ids("voc0712", "test") == ["000001"]
    with pytest.raises(
        ValueError, match=r"split 'test' of voc2012 \(its test annotations are not public\), expected train"
    ):
        ids("voc2012", "test")


def test_tfds_itself_reads_what_was_prepared(prepared):
    source = tfds.data_source("voc/2007", split="train+validation", data_dir=prepared, download=False)
    record = next(record for record in source if record["image/filename"] == b"000007.jpg")
    ours = data.open_dataset("voc2007", "validation", data_dir=str(prepared))
    np.testing.assert_array_equal(record["image"], ours.image(0))
    np.testing.assert_array_equal(record["objects"]["bbox"], np.float32([[3 / 41, 2 / 31, 41 / 41, 30 / 31]]))


def test_all_three_have_the_stock_features(tmp_path):
    features = tfds.builder("voc/2007", data_dir=tmp_path).info.features
    ours = voc.VocBuilder(config="2007", data_dir=tmp_path).info.features
    assert json.dumps(ours.to_json(), sort_keys=True) == json.dumps(features.to_json(), sort_keys=True)
    names = tuple(stock._VOC_LABELS)
    folder = write_devkit(tmp_path / "d", FILES, train="000005")
    (builder,) = devkit.builders(str(folder), "train", names, str(tmp_path))
    assert json.dumps(builder.info.features.to_json(), sort_keys=True) == json.dumps(features.to_json(), sort_keys=True)
    drawn = shapes.ShapesBuilder(data_dir=tmp_path).info.features
    assert drawn.keys() == features.keys()
    assert drawn["objects"].feature.keys() == features["objects"].feature.keys()


def test_a_devkit_folder_gives_the_records_that_voc_gives(prepared, tmp_path):
    folder = write_devkit(tmp_path / "d", FILES, train="000005 000009")
    names = tuple(stock._VOC_LABELS)
    folders = data.open_dataset(f"devkit:{folder}", "train", data_dir=str(tmp_path / "tfds"), names=names)
    official = data.open_dataset("voc2007", "train", data_dir=str(prepared))
    by_id = [{a.image_id: d.source[i] for i, a in enumerate(d.truth())} for d in (folders, official)]
    assert by_id[0].keys() == by_id[1].keys() == {"000005", "000009"}
    for image_id in by_id[0]:
        ours, theirs = by_id[0][image_id], by_id[1][image_id]
        assert ours.keys() == theirs.keys()
        assert ours["image"] == theirs["image"]
        assert ours["image/filename"] == theirs["image/filename"]
        assert ours["objects"].keys() == theirs["objects"].keys()
        for name in ours["objects"]:
            np.testing.assert_array_equal(ours["objects"][name], theirs["objects"][name])
        np.testing.assert_array_equal(ours["labels"], theirs["labels"])
    record = by_id[0]["000005"]
    assert list(record["objects"]["is_truncated"]) == [True, True]
    assert list(record["objects"]["pose"]) == [2, 2]  # left
    assert list(record["labels"]) == list(record["labels_no_difficult"]) == [names.index("chair"), names.index("dog")]


def test_a_folder_is_prepared_and_opened_without_a_word(tmp_path, caplog, capfd):
    source = f"devkit:{helpers.make_devkit(tmp_path / 'squares')}"
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(data.open_dataset(source, "train", data_dir=str(tmp_path))) == 10
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert capfd.readouterr().out == ""


def test_a_tar_of_something_else(tmp_path, monkeypatch):
    manual = tmp_path / "tfds" / "downloads" / "manual"
    folder = write_devkit(tmp_path / "d", FILES, train="000005")
    for name in ("VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"):
        pack(folder, manual / name)
    accept_tars(monkeypatch, manual)
    with pytest.raises(
        ValueError, match=r"no VOCdevkit/VOC2007/ImageSets/Main/val.txt in it, expected the official tar"
    ):
        data.open_dataset("voc2007", "train", data_dir=str(tmp_path / "tfds"))


def test_shapes(tmp_path, monkeypatch):
    monkeypatch.setattr(shapes, "SHAPE_SPLITS", {"train": 3, "validation": 2, "test": 2})
    dataset = data.open_dataset("shapes", "train", data_dir=str(tmp_path))
    assert dataset.names == shapes.SHAPE_NAMES
    assert len(dataset) == 3
    for i, annotation in enumerate(dataset.truth()):
        image, found = shapes.draw_sample("train", int(annotation.image_id.removeprefix("train_")))
        assert dataset.image(i).tolist() == image.tolist()
        assert annotation.objects.boxes.tolist() == [list(item.box) for item in found]
        assert [dataset.names[label] for label in annotation.objects.labels] == [item.name for item in found]
    assert len(data.open_dataset("shapes", "trainval", data_dir=str(tmp_path))) == 5
