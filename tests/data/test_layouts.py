"""The same images in every layout that is read give the same batches and the same AP."""

import itertools
import json

import numpy as np
import pytest

from tests import helpers
from tests.data import layouts
from tests.data.layouts import NAMES, Picture, put
from tests.data.tiny import jpeg, png, xml
from yolojax import data, training


def picture(seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    width, height = int(rng.integers(40, 70)), int(rng.integers(40, 70))
    boxes = []
    for _ in range(seed % 3):
        xmin, ymin = (int(rng.integers(1, side // 2)) for side in (width, height))
        xmax, ymax = int(rng.integers(xmin + 5, width)), int(rng.integers(ymin + 5, height))
        boxes.append((NAMES[int(rng.integers(2))], xmin, ymin, xmax, ymax))
    if seed % 4:
        return Picture(jpeg(width, height, seed), (".jpg", ".JPG", ".jpeg")[seed % 3], width, height, boxes)
    return Picture(png(rng.integers(0, 256, (height, width, 3), np.uint8)), ".png", width, height, boxes)


@pytest.fixture(scope="module")
def pictures() -> layouts.Pictures:
    sizes = {"train": range(0, 9), "validation": range(9, 13), "test": range(13, 19)}
    return {split: {f"pet_{seed:02}": picture(seed) for seed in seeds} for split, seeds in sizes.items()}


@pytest.fixture(scope="module")
def specs(pictures, tmp_path_factory) -> list[str]:
    return [write(tmp_path_factory.mktemp(write.__name__), pictures) for write in layouts.WRITERS]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.mark.parametrize("split", ["train", "val", "trainval", "test"])
def test_the_same_batches(specs, prepared, split):
    sets = [data.open_dataset(spec, split, data_dir=prepared) for spec in specs]
    assert {each.names for each in sets} == {NAMES}
    assert {len(each) for each in sets} == {{"train": 9, "val": 4, "trainval": 13, "test": 6}[split]}
    options = {"batch_size": 4, "sizes": (32, 64), "seed": 1, "augment": data.AugmentConfig()}
    streams = [
        itertools.chain(
            itertools.islice(data.train_batches(each, **options), 12), data.eval_batches(each, batch_size=4, size=32)
        )
        for each in sets
    ]
    for first, *others in zip(*streams, strict=True):
        for other in others:
            assert first.keys() == other.keys()
            for name in first:
                np.testing.assert_array_equal(first[name], other[name], strict=True)


def test_the_same_ap(specs, prepared, pictures):
    architecture = helpers.small_architecture(classes=2)
    variables, results = helpers.random_variables(architecture), []
    protocol = training.Protocol(32, score_threshold=0.01)
    for spec in specs:
        test = data.open_dataset(spec, "test", data_dir=prepared)
        results.append(
            training.Evaluator(architecture, test, protocol, batch_size=4).evaluate(variables, progress=None)
        )
    assert results[0].objects == sum(len(each.boxes) for each in pictures["test"].values())
    assert results[0].map_area > 0
    for result in results[1:]:
        assert (result.ap_area, result.ap_11point) == (results[0].ap_area, results[0].ap_11point)


def ids(spec: str, split: str, folder) -> list[str]:
    dataset = data.open_dataset(spec, split, data_dir=str(folder / "tfds"))
    return sorted(annotation.image_id for annotation in dataset.truth())


@pytest.mark.parametrize("kind", ["yolo", "devkit", "coco"])
def test_without_splits_every_fifth_is_test(kind, tmp_path, warned):
    folder = tmp_path / "pets"
    pets = {f"{i:02}": Picture(jpeg(), ".jpg", 40, 30, [("dog", 3, 4, 20, 28)]) for i in range(30)}
    for image_id, each in pets.items():
        put(folder / "images" / f"{image_id}.jpg", each.data)
        if kind == "yolo":
            put(folder / "labels" / f"{image_id}.txt", layouts.yolo_text(each))
        elif kind == "devkit":
            put(folder / "annotations" / f"{image_id}.xml", xml(*each.boxes))
    if kind == "yolo":
        put(folder / "labels" / "classes.txt", "\n".join(NAMES))
    elif kind == "coco":
        put(folder / "pets.json", layouts.coco_json(pets))
    found = {split: ids(f"{kind}:{folder}", split, tmp_path) for split in ("train", "validation", "trainval", "test")}
    assert found["test"] == [f"{i:02}" for i in range(4, 30, 5)]
    assert found["validation"] == [f"{i:02}" for i in range(3, 30, 5)]
    assert sorted(found["train"] + found["validation"]) == found["trainval"]
    assert sorted(found["trainval"] + found["test"]) == list(pets)
    said = f"{kind}:{folder}: nothing says which of its 30 images are in which split: every fifth is test, every fifth"
    assert sum(text.startswith(said) for text in warned()) == 4


def test_coco128_has_one_folder_for_two_splits(tmp_path):
    folder = tmp_path / "coco128"
    for i in range(3):
        put(folder / "images" / "train2017" / f"{i}.jpg", jpeg(seed=i))
        put(folder / "labels" / "train2017" / f"{i}.txt", "1 0.5 0.5 0.5 0.5\n")
    text = "path: ../coco128\ntrain: images/train2017\nval: images/train2017\ntest:\nnames:\n  0: cat\n  1: dog\n"
    spec = f"yolo:{put(tmp_path / 'yaml' / 'coco128.yaml', text)}"
    assert ids(spec, "train", tmp_path) == ids(spec, "val", tmp_path) == ["0", "1", "2"]
    with pytest.raises(ValueError, match=r"coco128\.yaml has no test split; it has train, validation$"):
        ids(spec, "test", tmp_path)


def test_a_polygon_is_its_bounds_and_a_crowd_is_difficult(tmp_path):
    put(tmp_path / "y" / "images" / "a.jpg", jpeg(40, 30))
    put(tmp_path / "y" / "labels" / "a.txt", "0 0.25 0.2 0.75 0.5 0.5 0.8\n")
    put(tmp_path / "y" / "a.names", "dog\n")
    (polygon,) = data.open_dataset(f"yolo:{tmp_path / 'y'}", "train", data_dir=str(tmp_path)).truth()
    assert polygon.objects.boxes.tolist() == [[11, 7, 31, 25]]
    content = json.loads(layouts.coco_json({"a": Picture(b"", ".jpg", 40, 30, [("dog", 3, 4, 20, 28)])}))
    content["annotations"][0]["iscrowd"] = 1
    put(tmp_path / "c" / "a.jpg", jpeg(40, 30))
    put(tmp_path / "c" / "train.json", json.dumps(content))
    (crowd,) = data.open_dataset(f"coco:{tmp_path / 'c'}", "train", data_dir=str(tmp_path)).truth()
    assert crowd.objects.boxes.tolist() == [[3, 4, 20, 28]]
    assert crowd.objects.difficult.tolist() == [True]


def test_images_of_one_name_in_two_folders(tmp_path):
    for place in ("a", "b c"):
        put(tmp_path / "y" / "images" / "train" / place / "1.jpg", jpeg())
        put(tmp_path / "y" / "labels" / "train" / place / "1.txt", "0 0.5 0.5 0.5 0.5")
    put(tmp_path / "y" / "a.names", "dog\n")
    assert ids(f"yolo:{tmp_path / 'y'}", "train", tmp_path) == ["images__train__a__1", "images__train__b_c__1"]
    put(tmp_path / "y" / "images" / "train" / "a" / "1.png", jpeg())
    with pytest.raises(ValueError, match=r"1\.jpg and .*1\.png are both image images__train__a__1; rename one"):
        ids(f"yolo:{tmp_path / 'y'}", "train", tmp_path)


def test_what_is_wrong_is_counted_as_in_a_devkit(tmp_path, warned):
    folder, label = tmp_path / "y", "1 0.5 0.5 0.5 0.5\n"
    files = {"good": (jpeg(), label), "cut": (jpeg()[:300], label), "bare": (jpeg(), None), "flat": (jpeg(), label)}
    for image_id, (image, text) in files.items():
        put(folder / "images" / f"{image_id}.jpg", image)
        if text:
            put(folder / "labels" / f"{image_id}.txt", text)
    put(folder / "labels" / "flat.txt", "1 0.5 0.5 0.0 0.5\n0 1.4 0.5 0.1 0.1\n1 0.9 0.5 0.9 0.5\n")
    put(folder / "a.names", "cat\ndog\n")
    put(folder / "train.txt", "".join(f"images/{name}.jpg\n" for name in (*files, "missing")))
    dataset = data.open_dataset(f"yolo:{folder}", "train", data_dir=str(tmp_path / "tfds"))
    assert len(dataset) == 3
    assert warned() == [
        f"{folder} (train): 2 images without a file of labels have no objects",
        f"yolo:{folder} train: 1 boxes clipped to the image, 1 boxes of no area dropped, 1 boxes outside the image "
        "dropped, 1 images that cannot be decoded skipped (first cut), 1 listed images missing, or without an "
        "annotation, skipped",
    ]


def test_names_of_the_caller(pictures, tmp_path):
    spec = layouts.write_yolo(tmp_path / "y", pictures)
    dataset = data.open_dataset(spec, "train", data_dir=str(tmp_path), names=("dog", "owl", "cat"))
    theirs = data.open_dataset(spec, "train", data_dir=str(tmp_path))
    for ours, known in zip(dataset.truth(), theirs.truth(), strict=True):
        named = [[each.names[label] for label in a.objects.labels] for each, a in ((dataset, ours), (theirs, known))]
        assert named[0] == named[1]
    (tmp_path / "y" / "classes.txt").unlink()
    with pytest.raises(ValueError, match=r"no class names, expected names in a data\.yaml, a \.names file or classes"):
        data.open_dataset(spec, "train", data_dir=str(tmp_path))
    assert data.open_dataset(spec, "train", data_dir=str(tmp_path), names=("cat", "dog")).names == ("cat", "dog")
