"""Decoding and non-maximum suppression as part of an export."""

import dataclasses

from yolojax.export.format import option


@dataclasses.dataclass(frozen=True)
class Suppression:
    """As in `detection.nms`: a larger IoU suppresses, a smaller score is dropped. ValueError outside 0..1."""

    iou_threshold: float = 0.45
    score_threshold: float = 0.005

    def __post_init__(self) -> None:
        for name in ("iou_threshold", "score_threshold"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} {value}, expected a number in 0..1")

    def __str__(self) -> str:
        return f"confidence >= {self.score_threshold}, per-class NMS at IoU {self.iou_threshold}"


@dataclasses.dataclass(frozen=True)
class DetectionOptions:
    """Of a format whose files run: whether they decode the head and suppress boxes, and at which thresholds."""

    nms: bool = option(False, "decode the head and suppress boxes.")
    score_threshold: float = option(Suppression.score_threshold, "with --nms: scores below this do not count.")
    nms_iou: float = option(Suppression.iou_threshold, "per-class NMS threshold, with --nms.")

    def __post_init__(self) -> None:
        _ = self.suppression  # refuses a threshold before the long work

    @property
    def suppression(self) -> Suppression | None:
        """None without `nms`."""
        return Suppression(self.nms_iou, self.score_threshold) if self.nms else None
