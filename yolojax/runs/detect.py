"""Running a network on image files."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from absl import logging

from yolojax import data, detection, network, runtimes, training
from yolojax.files import Path, write_json
from yolojax.progress import progress
from yolojax.reporting.pictures import write_image


def detect_files(
    program: runtimes.Program, images: Sequence[str], out: Path, protocol: training.Protocol, *, runtime: str = ""
) -> None:
    """Leaves in `out` an annotated PNG per image, and detections.json with all of them.

    Args:
      program: what runs; the size of the images is its own.
      images: files, and folders, which stand for the pictures in them and below.
      out: a folder; made where it is missing.
      protocol: scores and suppression.
      runtime: one of `runtimes.RUNTIMES`, by default the fastest.

    Raises ValueError for a file that is not an image, and the pictures made before it stay; one in a folder is skipped
    with a warning.
    """
    protocol = dataclasses.replace(protocol, size=program.size)
    paths, named = find_images(images), set(map(pathlib.Path, images))
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if not program.names:
        logging.info("the network has no class names, so numbers stand for them; --names FILE gives some")
    names = network.names_or_numbers(program.architecture, program.names)
    detector = training.Detector(program, protocol, session=runtimes.choose(runtime, program).load(program))
    results = []
    for name, path in progress(paths.items(), what="detect", unit="img", total=len(paths)):
        image = read(path, named=path in named)
        if image is None:
            continue
        found = detector(image)
        write_image(out / f"{name}.png", detection.draw(image, found.boxes - 1, found.labels, found.scores, names))
        objects = [
            {"class": names[label], "score": round(float(score), 5), "box": [round(float(v), 2) for v in box]}
            for box, score, label in zip(*found, strict=True)
        ]
        results.append({"image": str(path), "width": image.shape[1], "height": image.shape[0], "objects": objects})
    content = {"boxes": "xmin, ymin, xmax, ymax in 1-based pixels", "protocol": str(protocol), "images": results}
    write_json(out / "detections.json", content)
    print(f"{sum(len(r['objects']) for r in results)} objects in {len(results)} images; see {out}")


def find_images(arguments: Iterable[str]) -> dict[str, pathlib.Path]:
    """{what its picture is called: path} of image files and of those in folders; ValueError where there are none."""
    paths: list[pathlib.Path] = []
    for argument in map(pathlib.Path, arguments):
        paths += [argument / name for name in data.list_pictures(argument)] if argument.is_dir() else [argument]
    if not paths:
        raise ValueError("no images given; name files or folders")
    return data.image_ids(paths, pathlib.Path())


def read(path: pathlib.Path, *, named: bool) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB; for one that cannot be read a ValueError where the user `named` it, else a warning."""
    try:
        return data.read_image(path)
    except ValueError as error:
        if named:
            raise
        logging.warning("skipped %s", error)
        return None
