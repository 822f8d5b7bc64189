"""The registry: a format of one's own is a function and an entry, and gives what a devkit folder gives."""

import collections
import csv
import itertools
import pathlib

import numpy as np
import pytest

from tests.data.tiny import jpeg, write_devkit, xml
from yolojax.data import (
    SOURCES,
    AugmentConfig,
    Found,
    Listing,
    Source,
    describe_sources,
    eval_batches,
    listing_builder,
    open_dataset,
    train_batches,
)

SIDES = ("xmin", "ymin", "xmax", "ymax")
BOXES = {
    "a": [("dog", 3, 4, 20, 28), ("cat", 1, 1, 40, 30)],
    "b": [("dog", 5, 5, 9, 12), ("dog", 5, 5, 5, 9)],  # the second has no area
    "c": [("cat", -9, 5, 20, 99)],  # over the edge
}


# The example of docs/extending.md: train.csv beside the images, image,xmin,ymin,xmax,ymax,class.
def csv_builders(folder, split, names, data_dir):
    path = pathlib.Path(folder) / f"{split}.csv"
    objects = collections.defaultdict(list)
    for row in csv.DictReader(path.read_text().splitlines()):
        objects[row["image"]].append(Found(row["class"], tuple(float(row[side]) for side in SIDES)))
    listing = Listing(
        source=folder,
        split=split,
        names=tuple(names or sorted({found.name for image in objects.values() for found in image})),
        image_ids=list(objects),
        read_image=lambda image_id: (path.parent / f"{image_id}.jpg").read_bytes(),
        read_objects=lambda image_id, width, height: objects[image_id],
        files=[path, *(path.parent / f"{image_id}.jpg" for image_id in objects)],
    )
    return [listing_builder("csv", listing, data_dir)]


@pytest.fixture
def csv_source(monkeypatch):
    source = Source("csv", "images and a CSV of boxes", csv_builders, argument="FOLDER", splits=("train",))
    monkeypatch.setitem(SOURCES, "csv", source)


def write_csv(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    with open(folder / "train.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "class", *SIDES])
        rows.writerows([image, *box] for image, boxes in BOXES.items() for box in boxes)
    for seed, image in enumerate(BOXES):
        (folder / f"{image}.jpg").write_bytes(jpeg(seed=seed))
    return folder


def test_a_new_format_gives_the_batches_of_a_devkit_folder(csv_source, tmp_path, warned):
    folder = write_csv(tmp_path / "csv")
    files = {image: (jpeg(seed=seed), xml(*boxes)) for seed, (image, boxes) in enumerate(BOXES.items())}
    devkit = write_devkit(tmp_path / "devkit", files, train="a b c")
    specs = (f"csv:{folder}", f"devkit:{devkit}")
    both = [open_dataset(spec, "train", data_dir=str(tmp_path)) for spec in specs]
    assert both[0].names == both[1].names == ("cat", "dog")
    assert both[0].description == f"csv:{folder} train (3 images)"
    dropped = "1 boxes clipped to the image, 1 boxes of no area dropped"
    assert warned() == [f"{spec} train: {dropped}" for spec in specs]
    options = {"batch_size": 4, "sizes": (32, 64), "seed": 1, "augment": AugmentConfig()}
    batches = [
        itertools.chain(itertools.islice(train_batches(each, **options), 12), eval_batches(each, batch_size=2, size=32))
        for each in both
    ]
    compared = 0
    for ours, theirs in zip(*batches, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], strict=True)
        compared += 1
    assert compared == 12 + 2


def test_a_new_format_is_prepared_once_until_its_files_change(csv_source, tmp_path):
    folder, prepared = write_csv(tmp_path / "csv"), tmp_path / "tfds" / "yolojax_csv"
    for _ in range(2):
        open_dataset(f"csv:{folder}", "train", data_dir=str(tmp_path / "tfds"))
        assert len(list(prepared.iterdir())) == 1
    with open(folder / "train.csv", "a") as file:
        file.write("a,dog,7,7,9,9\n")
    changed = open_dataset(f"csv:{folder}", "train", data_dir=str(tmp_path / "tfds"))
    assert sum(len(annotation.objects.labels) for annotation in changed.truth()) == 5
    assert len(list(prepared.iterdir())) == 2


def test_a_class_name_that_no_names_file_can_hold(csv_source, tmp_path):
    with pytest.raises(ValueError, match=r"csv \(train\): 'a\\nb', expected a class name"):
        open_dataset(f"csv:{write_csv(tmp_path / 'csv')}", "train", data_dir=str(tmp_path), names=["a\nb"])


def test_help_and_errors_come_from_the_registry(csv_source, tmp_path):
    assert describe_sources() == (
        "voc2007 (PASCAL VOC), voc2012 (its test annotations are not public), voc0712 (both; the test split is "
        "VOC2007's), devkit:FOLDER (a folder in VOC's layout), yolo:PATH (a folder with YOLO's text labels, or its "
        "data.yaml), "
        "coco:PATH (a folder with COCO's JSON, or the file), images:FOLDER (any pictures, without labels), shapes "
        "(generated) or csv:FOLDER (images and a CSV of boxes)"
    )
    with pytest.raises(ValueError, match=r"data 'kitti', expected voc2007, .*, shapes or csv:FOLDER"):
        open_dataset("kitti", "train", data_dir=str(tmp_path))
    with pytest.raises(ValueError, match=r"split 'validation' of csv:FOLDER \(images .*\), expected train$"):
        open_dataset("csv:/x", "validation", data_dir=str(tmp_path))
