"""The readers of files from elsewhere as fuzz targets: bytes in, nothing but our own errors out.

The tests (`test_fuzz`) and the coverage-guided fuzzer (`scripts/fuzz.py`) share them.
"""

import dataclasses
import hashlib
import json
import pathlib
import struct
from collections.abc import Callable

import cv2
import numpy as np

from tests import helpers
from yolojax import darknet, detection
from yolojax.data import annotations, coco_json, devkit_layout, devkit_xml, images, yolo_labels, yolo_yaml
from yolojax.export import compressed, container
from yolojax.network import Architecture, Convolutional, Maxpool, Net
from yolojax.pruning.sensitivity_file import read_sensitivity

MAX_MESSAGE = 600
OURS = (ValueError, darknet.CfgError, darknet.WeightsError, annotations.AnnotationError, OSError, FileNotFoundError)
NAMES = ("blue", "red")
IDS = ("000001", "000002")
TINY = Architecture(
    Net(8, 8),
    (
        Convolutional(2, 3, padding=1, batch_normalize=True, activation="leaky"),
        Maxpool(2, 2, 1),
        Convolutional(1),
    ),
)
XML = (
    "<annotation><size><width>60</width><height>40</height></size><object><name>red</name><pose>Left</pose>"
    "<difficult>0</difficult><truncated>1</truncated><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>"
    "<ymax>39.5</ymax></bndbox></object></annotation>"
)
COCO = {
    "images": [{"id": 1, "file_name": "a/1.jpg"}],
    "annotations": [{"image_id": 1, "category_id": 2, "bbox": [2, 3, 10, 12.5], "iscrowd": 0}],
    "categories": [{"id": 2, "name": "red"}],
}
ANALYSIS = {
    "method": "filter",
    "amounts": [0.2, 0.5],
    "original": 0.5,
    "total": 60,
    "layers": {"conv_00": {"size": 8, "map_11point": [0.4, 0.1]}},
}


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader: `read(data, folder)`, whole files to start from, and words that its format has."""

    read: Callable[[bytes, pathlib.Path], object]
    seeds: Callable[[pathlib.Path], list[bytes]]
    words: tuple[bytes, ...] = ()


def check(target: Target, data: bytes, folder: pathlib.Path) -> bool:
    """Whether the reader takes `data`; raises what the reader raises, but for our own errors in one line of bounds."""
    try:
        target.read(data, folder)
    except OURS as error:
        # Python's own kinds of ValueError (Unicode, JSON) name no file.
        if type(error) not in OURS or "\n" in str(error) or len(str(error)) > MAX_MESSAGE:
            raise
        return False
    return True


def _write(data: bytes, folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _read_cfg(data: bytes, folder: pathlib.Path) -> None:
    architecture = darknet.read_cfg(_write(data, folder, "f.cfg"))
    # What is read can be written, and reads as the same.
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture


def _read_weights(data: bytes, folder: pathlib.Path) -> None:
    darknet.read_weights(TINY, _write(data, folder, "f.weights"))


def _read_annotation(data: bytes, folder: pathlib.Path) -> None:
    width, height, found = devkit_xml.parse_annotation(data, "f.xml")
    usable = annotations.clean_objects(found, width, height, NAMES, annotations.Counts())
    objects = annotations.to_objects(usable, NAMES)
    assert np.isfinite(objects.boxes).all()
    assert (objects.boxes >= 1).all()


def _read_list(data: bytes, folder: pathlib.Path) -> None:
    (folder / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
    _write(data, folder, "ImageSets/Main/test.txt")
    for image_id in devkit_layout.read_split(folder, "test"):
        path = (folder / "Annotations" / f"{image_id}.xml").resolve()
        assert path.parent == (folder / "Annotations").resolve(), image_id


def _read_detections(data: bytes, folder: pathlib.Path) -> None:
    (folder / "found").mkdir(exist_ok=True)
    _write(data, folder, "found/comp4_det_test_red.txt")
    for found in detection.read_detections(folder / "found", ("red",), IDS):
        assert np.isfinite(found.boxes).all()
        assert np.isfinite(found.scores).all()


def _read_names(data: bytes, folder: pathlib.Path) -> None:
    names = darknet.read_names(_write(data, folder, "f.names"))
    assert len(set(names)) == len(names) > 0


def _read_yolo_labels(data: bytes, folder: pathlib.Path) -> None:
    found = yolo_labels.parse_labels(data, NAMES, 60, 40, "f.txt")
    assert np.isfinite([item.box for item in found]).all()
    annotations.clean_objects(found, 60, 40, NAMES, annotations.Counts())


def _read_data_yaml(data: bytes, folder: pathlib.Path) -> None:
    described = yolo_yaml.read_data_yaml(_write(data, folder, "data.yaml"))
    assert len(set(described.names)) == len(described.names)


def _read_coco(data: bytes, folder: pathlib.Path) -> None:
    content = coco_json.read_coco(_write(data, folder, "coco.json"))
    assert all((folder / name).resolve().is_relative_to(folder.resolve()) for name in content.images)
    assert all(np.isfinite([item.box for item in found]).all() for found in content.images.values())


def _read_image(data: bytes, folder: pathlib.Path) -> None:
    image = images.decode_image(data)
    images.is_whole(data)
    if image is not None:
        assert image.shape[1::-1] == images.image_size(data)
        assert image.shape[2:] == (3,)


def _read_sensitivity(data: bytes, folder: pathlib.Path) -> None:
    read_sensitivity(_write(data, folder, "sensitivity.json"))


def _read_compressed(data: bytes, folder: pathlib.Path) -> None:
    """The data is what the checksum is about: behind a prelude that fits it."""
    digest, length = hashlib.sha256(data).digest(), container.PRELUDE.size + len(data)
    prelude = container.PRELUDE.pack(container.MAGIC, container.VERSION, length, digest)
    compressed.read_compressed(_write(prelude + data, folder, "f.yolojax"), max_bytes=1 << 20)


def _cfg_seeds(folder: pathlib.Path) -> list[bytes]:
    whole = darknet.format_cfg(helpers.small_architecture(classes=2))
    return [whole.encode(), darknet.format_cfg(TINY).encode(), whole.replace("\n", "\r\n").encode() + b"# end\n"]


def _weights_seeds(folder: pathlib.Path) -> list[bytes]:
    path, kinds = folder / "seed.weights", []
    for header in ("int32", "int64"):
        darknet.write_weights(TINY, helpers.random_variables(TINY), path, seen=7, header=header)
        kinds.append(path.read_bytes())
    return kinds


def _image_seeds(folder: pathlib.Path) -> list[bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    kinds = [(".png", []), (".jpg", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])]
    return [cv2.imencode(suffix, pixels, options)[1].tobytes() for suffix, options in kinds]


def _compressed_seeds(folder: pathlib.Path) -> list[bytes]:
    variables, seeds = helpers.random_variables(TINY), []
    for values in ("float32", "float16", "clustered"):
        compressed.write_compressed(folder / "seed.yolojax", TINY, variables, values=values, bits=2)
        seeds.append((folder / "seed.yolojax").read_bytes()[container.PRELUDE.size :])
    return seeds


TARGETS = {
    "cfg": Target(
        _read_cfg,
        _cfg_seeds,
        (b"[route]\n", b"layers=-1,-2\n", b"[reorg]\n", b"[maxpool]\n", b"[region]\n", b"2147483647", b"-1", b"1e999"),
    ),
    "weights": Target(_read_weights, _weights_seeds, (struct.pack("<f", np.nan), struct.pack("<i", -1))),
    "annotation": Target(
        _read_annotation,
        lambda _: [XML.encode(), XML.encode("utf-16"), f'<?xml version="1.0" encoding="latin-1"?>{XML}'.encode()],
        (b"<!DOCTYPE a [", b"<!ENTITY e 'e'>]>", b"&e;", b"<object>", b"</object>", b"<name>", b"1e308", b"nan"),
    ),
    "split list": Target(
        _read_list, lambda _: [b"000001\n000002 -1\n", "é 1\r\n".encode()], (b"../", b"/", b"\\", b".")
    ),
    "detections": Target(_read_detections, lambda _: [b"000001 0.5 3 4 20.5 30\n" * 2], (b"nan", b"1e999", b"000002")),
    "YOLO labels": Target(
        _read_yolo_labels, lambda _: [b"0 0.5 0.5 0.25 0.2\n1 0.1 0.1 0.9 0.1 0.5 0.9\n"], (b"nan", b"1e999", b"-1")
    ),
    "data.yaml": Target(
        _read_data_yaml,
        lambda _: [b"path: .\ntrain: ../a\nval: [b, c.txt]\nnc: 2\nnames: {0: red, 1: blue}\n", b"names: [red, 7]\n"],
        (b"!!", b"&a", b"*a", b"<<:", b"[", b"? "),
    ),
    "COCO json": Target(_read_coco, lambda _: [json.dumps(COCO).encode()], (b"NaN", b"null", b"../", b"1e999", b"[[")),
    "names": Target(_read_names, lambda _: [b"blue\nred\n", "café\r\n".encode()]),
    "image": Target(_read_image, _image_seeds, (b"\xff\xda", b"\xff\xc0", b"\xff\xc2", b"IDAT", b"IEND", b"\xff\xff")),
    "sensitivity": Target(
        _read_sensitivity, lambda _: [json.dumps(ANALYSIS).encode()], (b"[[", b"NaN", b"null", b"{}")
    ),
    "compressed": Target(_read_compressed, _compressed_seeds, (b"filters=", b"nonzeros", b"999999999999")),
}
