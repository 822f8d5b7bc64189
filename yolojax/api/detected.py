"""What a network finds in one image, to look at and to go on with."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8

from yolojax import data, detection
from yolojax.files import Path, write_bytes

SHOWN = 20  # objects in the text of a result


@dataclasses.dataclass(frozen=True, repr=False)
class Detected:
    """The objects in one image, best first; a picture in a notebook.

    Attributes:
      image: (height, width, 3) uint8 RGB.
      found: boxes (xmin, ymin, xmax, ymax in 1-based pixels), scores and labels.
      names: of the classes.
    """

    image: UInt8[np.ndarray, "height width 3"]
    found: detection.Detections
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.found.scores)

    def __iter__(self) -> Iterator[tuple[str, float, tuple[float, ...]]]:
        """(class, score, box) of each object."""
        for box, score, label in zip(*self.found, strict=True):
            yield self.names[label], float(score), tuple(float(side) for side in box)

    def draw(self) -> UInt8[np.ndarray, "height width 3"]:
        """A copy of the image with the boxes on it."""
        found = self.found
        return detection.draw(self.image, found.boxes - 1, found.labels, found.scores, self.names)

    def save(self, path: Path) -> None:
        """Writes `draw()` as PNG."""
        write_bytes(path, data.encode_png(self.draw()))

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        lines = [f"{len(self)} object{'s' * (len(self) != 1)} in {width}x{height} pixels"]
        for name, score, box in itertools.islice(self, SHOWN):
            lines.append(f"{name} {score:.2f}  ({', '.join(f'{side:.0f}' for side in box)})")
        if len(self) > SHOWN:
            lines.append(f"and {len(self) - SHOWN} more")
        return "\n".join(lines)

    def _repr_png_(self) -> bytes:
        return data.encode_png(self.draw())
