"""Tiny devkit folders and tars, written out in full."""

import io
import pathlib
import tarfile

import cv2
import numpy as np
from PIL import Image


def jpeg(width: int = 40, height: int = 30, seed: int = 0) -> bytes:
    """A smooth image as JPEG."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.resize(small, (width, height)))[1].tobytes()


def png(image: np.ndarray) -> bytes:
    """RGB as PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def xml(*objects: tuple, width: int = 40, height: int = 30) -> bytes:
    """An annotation; each object is (name, xmin, ymin, xmax, ymax)."""
    parts = [
        f"<object><name>{name}</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult><bndbox>"
        f"<xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for name, a, b, c, d in objects
    ]
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return f"<annotation>{size}{''.join(parts)}</annotation>".encode()


FILES = {
    "000005": (jpeg(40, 30, 5), xml(("chair", 3, 4, 20, 28), ("dog", 1, 1, 40, 30))),
    "000007": (jpeg(31, 41, 7), xml(("car", 2, 3, 30, 41), width=31, height=41)),
    "000009": (jpeg(40, 30, 9), xml()),
}


def write_devkit(
    folder: pathlib.Path, files: dict[str, tuple[bytes | None, bytes | None]], **lists: str
) -> pathlib.Path:
    """`files`: {image id: (image, annotation)}, None for one that is missing; `lists`: {val: "000001 000002"}."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for image_id, (image, annotation) in files.items():
        if image is not None:
            (folder / "JPEGImages" / f"{image_id}.jpg").write_bytes(image)
        if annotation is not None:
            (folder / "Annotations" / f"{image_id}.xml").write_bytes(annotation)
    for name, ids in lists.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{i}\n" for i in ids.split()))
    return folder


def pack(devkit: pathlib.Path, path: pathlib.Path, year: str = "2007") -> None:
    """A devkit folder as an official tar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        tar.add(devkit, f"VOCdevkit/VOC{year}")


def with_exif_orientation(data: bytes) -> bytes:
    """The JPEG, said to be turned by 90 degrees."""
    tiff = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    return data[:2] + b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff + data[2:]


def cmyk_jpeg(width: int = 40, height: int = 30) -> bytes:
    """A JPEG of four channels, pure red."""
    file = io.BytesIO()
    Image.new("CMYK", (width, height), (0, 255, 255, 0)).save(file, "JPEG", quality=95)
    return file.getvalue()
