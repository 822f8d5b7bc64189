"""Folders of pictures without labels: which pictures, in which order and split, and what is wrong with them."""

import os
import pathlib

import numpy as np
import pytest

from tests.data.tiny import jpeg, png
from yolojax import data


def write_pictures(folder: pathlib.Path, *names: str) -> pathlib.Path:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(seed=seed))
    return folder


def files(dataset: data.Dataset) -> list[str]:
    return [dataset.source[i]["image/filename"].decode() for i in range(len(dataset))]


def test_all_pictures_below_the_folder_in_order(tmp_path):
    write_pictures(tmp_path / "d", "b.JPG", "a/2.jpeg", "a/1.jpg", "z/y/x.jpg")
    (tmp_path / "d" / "c.png").write_bytes(png(np.zeros((30, 40, 3), np.uint8)))
    (tmp_path / "d" / "notes.txt").write_text("not a picture\n")
    (tmp_path / "d" / "folder.jpg").mkdir()
    dataset = data.open_dataset(f"images:{tmp_path / 'd'}", "test", names=("dog", "cat"))
    assert files(dataset) == ["a/1.jpg", "a/2.jpeg", "b.JPG", "c.png", "z/y/x.jpg"]
    assert not dataset.labelled
    assert dataset.names == ("dog", "cat")
    assert dataset.description == f"images:{tmp_path / 'd'} test (5 images, the same in every split)"
    assert dataset.image_id(1) == "2"
    assert dataset.truth()[0][:3] == ("1", 40, 30)
    assert all(len(annotation.objects.labels) == 0 for annotation in dataset.truth())
    assert data.open_dataset(f"images:{tmp_path / 'd'}", "train").names == ()


def test_splits_share_no_picture(tmp_path):
    names = [f"{i:02d}.jpg" for i in range(26)]
    write_pictures(tmp_path, *reversed(names))
    found = {split: files(data.open_dataset(f"images:{tmp_path}", split)) for split in data.SOURCES["images"].splits}
    assert found["test"] == names[4::5]
    assert found["validation"] == names[3::5]
    assert sorted(found["train"] + found["validation"]) == found["trainval"]
    assert sorted(found["trainval"] + found["test"]) == names
    assert data.open_dataset(f"images:{tmp_path}", "test").description == f"images:{tmp_path} test (5 images)"


def test_few_pictures_are_in_every_split(tmp_path):
    write_pictures(tmp_path, *(f"{i:02d}.jpg" for i in range(24)))
    for split in ("train", "validation", "trainval", "test"):
        assert len(data.open_dataset(f"images:{tmp_path}", split)) == 24


def test_batches_read_the_files(tmp_path):
    write_pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    dataset = data.open_dataset(f"images:{tmp_path}", "test")
    batch = next(data.train_batches(dataset, batch_size=3, sizes=(32,), seed=0))
    assert sorted(batch["index"].tolist()) == [0, 1, 2]
    assert not batch["truth"].any()
    (evaluated,) = data.eval_batches(dataset, batch_size=4, size=32)
    assert evaluated["valid"].tolist() == [True] * 3 + [False]
    in_order = np.argsort(batch["index"])
    np.testing.assert_array_equal(evaluated["image"][:3], batch["image"][in_order])
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".jpg"] == []  # nothing is prepared


def test_what_is_no_picture_is_skipped_and_counted(tmp_path, warned):
    write_pictures(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "cut.jpg").write_bytes(jpeg()[:-200])
    (tmp_path / "text.png").write_text("not a picture\n")
    dataset = data.open_dataset(f"images:{tmp_path}", "test")
    assert files(dataset) == ["a.jpg", "b.jpg"]
    assert warned() == [f"images:{tmp_path} test: 2 images that cannot be decoded skipped (first cut.jpg)"]


def test_a_picture_that_goes_away(tmp_path):
    write_pictures(tmp_path, "a.jpg")
    dataset = data.open_dataset(f"images:{tmp_path}", "test")
    os.unlink(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match=r"a\.jpg: no such file, expected a JPEG or PNG image"):
        dataset.image(0)


def test_whether_a_source_has_labels():
    assert not data.has_labels("images:anything")
    assert data.has_labels("voc2012")
    assert data.has_labels("devkit:anything")
    with pytest.raises(ValueError, match="data 'images', expected voc2007"):
        data.has_labels("images")


def test_a_source_is_of_one_kind():
    with pytest.raises(ValueError, match="source 'x' takes one of build and read"):
        data.Source("x", "neither")
