"""Running a network on image files."""

import dataclasses
import pathlib
from collections.abc import Sequence

from tqdm import tqdm

from yolojax import data, detection, runtimes, training
from yolojax.files import Path, write_json
from yolojax.reporting.pictures import write_image


def detect_files(
    program: runtimes.Program, images: Sequence[str], out: Path, protocol: training.Protocol, *, runtime: str = ""
) -> None:
    """Leaves in `out` an annotated PNG per image file, and detections.json with all of them.

    `runtime` is one of `runtimes.RUNTIMES`, by default the fastest. The size is that of the program.

    Raises ValueError for a file that is not an image; the pictures made before it stay.
    """
    protocol = dataclasses.replace(protocol, size=program.size)
    if not images:
        raise ValueError("no image files given; name at least one")
    stems = [pathlib.Path(image).stem for image in images]
    if len(set(stems)) != len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ValueError(f"two images are called {twice}, so their pictures would be one file; run them separately")
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    names = program.names or tuple(f"class {i}" for i in range(program.architecture.region.classes))
    detector = training.Detector(program, protocol, session=runtimes.choose(runtime, program).load(program))
    results = []
    for path, stem in zip(tqdm(images, desc="detect", unit="img"), stems, strict=True):
        image = data.read_image(path)
        found = detector(image)
        write_image(out / f"{stem}.png", detection.draw(image, found.boxes - 1, found.labels, found.scores, names))
        objects = [
            {"class": names[label], "score": round(float(score), 5), "box": [round(float(v), 2) for v in box]}
            for box, score, label in zip(*found, strict=True)
        ]
        results.append({"image": str(path), "width": image.shape[1], "height": image.shape[0], "objects": objects})
    content = {"boxes": "xmin, ymin, xmax, ymax in 1-based pixels", "protocol": str(protocol), "images": results}
    write_json(out / "detections.json", content)
    print(f"{sum(len(r['objects']) for r in results)} objects in {len(images)} images; see {out}")
