import pathlib

import cv2
import numpy as np
import pytest

from tests import helpers
from yolojax import data
from yolojax.reporting import pictures

SAMPLE: pictures.Sample = {"boxes": [[10.0, 10.0, 40.0, 40.0]], "scores": [0.9], "labels": [1]}


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> data.Dataset:
    folder = tmp_path_factory.mktemp("squares")
    source = f"devkit:{helpers.make_devkit(folder / 'devkit')}"
    return data.open_dataset(source, "test", data_dir=str(folder / "tfds"))


def step(dataset: data.Dataset, height: int, count: int = 1) -> int:
    """From one column to the next: the widest image, and a gap."""
    shapes = [np.asarray(dataset.image(index)).shape for index in pictures.sample_indices(len(dataset), count)]
    return max(round(columns * height / rows) for rows, columns, _ in shapes) + pictures.GAP


def test_a_column_for_the_truth_and_each_network(squares, tmp_path):
    gallery = pictures.Gallery(squares, 3, height=100)
    gallery.add("original", [SAMPLE] * 3)
    gallery.save(tmp_path / "two.png")
    gallery.add("pruned", [SAMPLE] * 3)
    gallery.save(tmp_path / "three.png")
    two, three = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("two", "three"))
    wide = step(squares, 100, 3)
    assert (three.shape[1], two.shape[1]) == (3 * wide + pictures.GAP, 2 * wide + pictures.GAP)
    assert 3 * 106 < two.shape[0] == three.shape[0] < 4 * 106


def test_a_note_stands_over_its_column(squares, tmp_path):
    heads = []
    for note in ("", "mAP 0.612", "mAP 0.613"):
        gallery = pictures.Gallery(squares, 1, height=300)
        gallery.add("pruned", [SAMPLE], note=note)
        gallery.save(tmp_path / "gallery.png")
        picture = cv2.imread(str(tmp_path / "gallery.png"))
        heads.append(picture[: picture.shape[0] - 300 - pictures.GAP - 2 * 17])
    assert heads[0].shape[0] < heads[1].shape[0] == heads[2].shape[0]
    differs = np.any(heads[1] != heads[2], axis=(0, 2))
    assert np.flatnonzero(differs).min() >= step(squares, 300)  # not over the truth


def test_a_caption_that_is_too_long_stays_over_its_column(squares, tmp_path):
    gallery = pictures.Gallery(squares, 1, height=100)
    for caption in ("x" * 60, ""):
        gallery.add(caption, [SAMPLE])
    gallery.save(tmp_path / "gallery.png")
    head = cv2.imread(str(tmp_path / "gallery.png"))[:20]
    ink = np.any(head.max(axis=2) > 100, axis=0)
    wide = step(squares, 100)
    assert ink[wide : 2 * wide].any()
    assert not ink[2 * wide :].any()


def test_the_legend_has_the_classes_that_are_seen(squares, tmp_path):
    """No other colour of the palette is in the last lines."""
    unlabelled = pictures.Gallery(squares, 1, height=100)
    unlabelled._seen.clear()
    unlabelled.add("found", [SAMPLE])
    unlabelled.save(tmp_path / "gallery.png")
    legend = cv2.cvtColor(cv2.imread(str(tmp_path / "gallery.png")), cv2.COLOR_BGR2RGB)[-22:]
    shown = [label for label in range(2) if np.all(legend == pictures.detection.colour(label), axis=2).any()]
    assert shown == [1]


def test_no_images_no_picture(squares, tmp_path):
    gallery = pictures.Gallery(squares, 0)
    gallery.add("original", [])
    gallery.save(tmp_path / "gallery.png")
    assert list(pathlib.Path(tmp_path).iterdir()) == []
