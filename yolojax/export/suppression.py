"""The thresholds of an export that includes decoding and non-maximum suppression."""

import dataclasses


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
