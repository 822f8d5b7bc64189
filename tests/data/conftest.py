"""A data set without TFDS, VOC prepared from tiny tars, and the log's lines."""

import logging
import pathlib

import numpy as np
import pytest
from tensorflow_datasets.core.download import checksums
from tensorflow_datasets.object_detection import voc as stock

import yolojax
from tests.data.tiny import FILES, jpeg, pack, png, write_devkit, xml
from yolojax.data import Dataset, open_dataset, voc


def record(number: int, width: int, height: int, *boxes: tuple) -> dict:
    """A record of the stock features; boxes are (xmin, ymin, xmax, ymax, label)."""
    image = np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)
    scale = [height, width, height, width]
    return {
        "image": png(image),
        "image/filename": f"{number:06d}.jpg".encode(),
        "objects": {
            "bbox": [np.float32(np.array([b, a, d, c]) / scale) for a, b, c, d, _ in boxes],
            "label": [box[4] for box in boxes],
            "is_difficult": [False for _ in boxes],
        },
    }


@pytest.fixture(scope="session")
def six() -> Dataset:
    """Six images of different sizes; image i has i objects."""
    source = [record(i, 40 + i, 30, *[(1 + k, 2, 21 + k, 12, k % 2) for k in range(i)]) for i in range(6)]
    return Dataset(("a", "b"), source, "six images")


def accept_tars(patch: pytest.MonkeyPatch, manual: pathlib.Path) -> None:
    """Takes the tars in the folder `manual` for the official ones."""
    infos = {stock._VOC_DATA_URL + path.name: checksums.compute_url_info(path) for path in manual.iterdir()}
    patch.setattr(voc.VocBuilder, "url_infos", infos)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A TFDS folder in which voc2007 and voc2012 are prepared from tiny tars."""
    root = tmp_path_factory.mktemp("voc")
    trainval = write_devkit(root / "a", FILES, train="000005 000009", val="000007", trainval="000005 000007 000009")
    test = write_devkit(root / "b", {"000001": (jpeg(seed=1), xml(("person", 5, 6, 7, 8)))}, test="000001")
    later = write_devkit(
        root / "c", {"2008_1": (jpeg(seed=2), xml(("cat", 9, 8, 19, 18)))}, train="2008_1", val="2008_1"
    )
    manual = root / "tfds" / "downloads" / "manual"
    pack(trainval, manual / "VOCtrainval_06-Nov-2007.tar")
    pack(test, manual / "VOCtest_06-Nov-2007.tar")
    pack(later, manual / "VOCtrainval_11-May-2012.tar", "2012")
    with pytest.MonkeyPatch.context() as patch:
        accept_tars(patch, manual)
        for name in ("voc2007", "voc2012"):
            open_dataset(name, "train", data_dir=str(root / "tfds"))
    return root / "tfds"


@pytest.fixture
def warned(caplog):
    """The warnings that yolojax logged so far, as text, without those of TFDS."""
    package = pathlib.Path(yolojax.__file__).parent

    def texts() -> list[str]:
        warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
        return [r.getMessage() for r in warnings if pathlib.Path(r.pathname).is_relative_to(package)]

    return texts
