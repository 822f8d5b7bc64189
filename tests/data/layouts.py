"""One small set of images, written in the layouts that people have."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import yaml

from tests.data.tiny import xml

NAMES = ("cat", "dog")
YOLO_FOLDERS = {"train": "train", "validation": "val", "test": "test"}
ROBOFLOW = {"train": "train", "validation": "valid", "test": "test"}


class Picture(NamedTuple):
    """An encoded image with its suffix, size and boxes: (class, xmin, ymin, xmax, ymax), in 1-based pixels."""

    data: bytes
    suffix: str
    width: int
    height: int
    boxes: Sequence[tuple]


Pictures = Mapping[str, Mapping[str, Picture]]
"""{split: {image id: picture}}."""


def put(path: pathlib.Path, content: bytes | str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def yolo_text(picture: Picture) -> str:
    """As Darknet's voc_label.py writes it, with six digits."""
    lines = []
    for name, xmin, ymin, xmax, ymax in picture.boxes:
        x, y = ((xmin + xmax) / 2 - 1) / picture.width, ((ymin + ymax) / 2 - 1) / picture.height
        width, height = (xmax - xmin) / picture.width, (ymax - ymin) / picture.height
        lines.append(f"{NAMES.index(name)} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n")
    return "".join(lines)


def coco_json(pictures: Mapping[str, Picture], prefix: str = "") -> str:
    ids = {image_id: number for number, image_id in enumerate(pictures, start=1)}
    images = [
        {"id": ids[image_id], "file_name": f"{prefix}{image_id}{p.suffix}", "width": p.width, "height": p.height}
        for image_id, p in pictures.items()
    ]
    boxes = [(ids[image_id], box) for image_id, p in pictures.items() for box in p.boxes]
    annotations = [
        {"id": i, "image_id": image, "category_id": 7 + NAMES.index(name), "bbox": [a - 1, b - 1, c - a, d - b]}
        for i, (image, (name, a, b, c, d)) in enumerate(boxes)
    ]
    categories = [{"id": 7 + i, "name": name} for i, name in enumerate(NAMES)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories[::-1]})


def write_devkit_lists(folder: pathlib.Path, pictures: Pictures) -> str:
    for split, name in YOLO_FOLDERS.items():
        put(folder / "ImageSets" / "Main" / f"{name}.txt", "".join(f"{image_id}\n" for image_id in pictures[split]))
        for image_id, p in pictures[split].items():
            put(folder / "JPEGImages" / f"{image_id}{p.suffix}", p.data)
            put(folder / "Annotations" / f"{image_id}.xml", xml(*p.boxes, width=p.width, height=p.height))
    return f"devkit:{folder}"


def write_devkit_folders(folder: pathlib.Path, pictures: Pictures) -> str:
    """Pictures and annotations side by side, and no `difficult`."""
    for split, name in ROBOFLOW.items():
        for image_id, p in pictures[split].items():
            put(folder / name / f"{image_id}{p.suffix}", p.data)
            text = xml(*p.boxes, width=p.width, height=p.height).replace(b"<difficult>0</difficult>", b"")
            put(folder / name / f"{image_id}.xml", text)
    return f"devkit:{folder}"


def write_yolo(folder: pathlib.Path, pictures: Pictures) -> str:
    """images/train and labels/train, and a file of names; no file of labels where there are no objects."""
    put(folder / "classes.txt", "\n".join(NAMES))
    for split, name in YOLO_FOLDERS.items():
        for image_id, p in pictures[split].items():
            put(folder / "images" / name / f"{image_id}{p.suffix}", p.data)
            if p.boxes:
                put(folder / "labels" / name / f"{image_id}.txt", yolo_text(p))
    return f"yolo:{folder}"


def write_yolo_yaml(folder: pathlib.Path, pictures: Pictures) -> str:
    """As Roboflow: train/images and train/labels, and a data.yaml whose paths begin with ../."""
    for split, name in ROBOFLOW.items():
        for image_id, p in pictures[split].items():
            put(folder / name / "images" / f"{image_id}{p.suffix}", p.data)
            put(folder / name / "labels" / f"{image_id}.txt", yolo_text(p))
    places = {"train": "../train/images", "val": "../valid/images", "test": "../test/images"}
    put(folder / "data.yaml", yaml.safe_dump({**places, "nc": 2, "names": list(NAMES)}))
    return f"yolo:{folder / 'data.yaml'}"


def write_yolo_lists(folder: pathlib.Path, pictures: Pictures) -> str:
    """As Darknet: lists of paths, labels beside the images."""
    put(folder / "pets.names", "\n".join(NAMES))
    for split, name in YOLO_FOLDERS.items():
        paths = []
        for image_id, p in pictures[split].items():
            paths.append(put(folder / "obj" / f"{image_id}{p.suffix}", p.data))
            put(folder / "obj" / f"{image_id}.txt", yolo_text(p))
        relative = [str(path if name == "test" else path.relative_to(folder)) for path in paths]
        put(folder / f"{name}.txt", "\n".join(relative))
    return f"yolo:{folder}"


def write_coco(folder: pathlib.Path, pictures: Pictures) -> str:
    """As COCO itself, with other annotations beside the boxes."""
    for split, name in YOLO_FOLDERS.items():
        put(folder / "annotations" / f"instances_{name}2017.json", coco_json(pictures[split]))
        put(folder / "annotations" / f"captions_{name}2017.json", "{}")
        for image_id, p in pictures[split].items():
            put(folder / f"{name}2017" / f"{image_id}{p.suffix}", p.data)
    return f"coco:{folder}"


def write_coco_folders(folder: pathlib.Path, pictures: Pictures) -> str:
    """As Roboflow: a JSON beside the images of each split."""
    for split, name in ROBOFLOW.items():
        put(folder / name / "_annotations.coco.json", coco_json(pictures[split]))
        for image_id, p in pictures[split].items():
            put(folder / name / f"{image_id}{p.suffix}", p.data)
    return f"coco:{folder}"


WRITERS = (
    write_devkit_lists,
    write_devkit_folders,
    write_yolo,
    write_yolo_yaml,
    write_yolo_lists,
    write_coco,
    write_coco_folders,
)
