"""Average precision by the PASCAL VOC devkit's rules (Everingham et al. 2010, section 4.2; `VOCevaldet.m`)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from yolojax.detection.records import Detections, Objects


class APResult(NamedTuple):
    """Per class: AP by VOC2007's 11 points and by area, NaN without objects; and how many objects counted."""

    ap_11point: Float[np.ndarray, " classes"]
    ap_area: Float[np.ndarray, " classes"]
    objects: Int[np.ndarray, " classes"]

    @property
    def map_11point(self) -> float:
        """The mean of `ap_11point` over the classes with objects; NaN when no class has any."""
        return _mean(self.ap_11point)

    @property
    def map_area(self) -> float:
        """The mean of `ap_area` over the classes with objects; NaN when no class has any."""
        return _mean(self.ap_area)


def _mean(ap: Float[np.ndarray, " classes"]) -> float:
    return float("nan") if np.all(np.isnan(ap)) else float(np.nanmean(ap))


def average_precision(
    truth: Sequence[Objects], detections: Sequence[Detections], num_classes: int, *, iou_threshold: float = 0.5
) -> APResult:
    """AP of the detections of all images; both sequences hold one entry per image.

    A detection is right if its IoU with the truth that it overlaps most, of its class and image, exceeds
    `iou_threshold` and no better detection took that truth. Difficult truths neither count nor harm. Raises ValueError
    when the sequences differ in length.
    """
    if len(truth) != len(detections):
        raise ValueError(f"detections of {len(detections)} images for {len(truth)} annotated ones")
    objects = np.zeros(num_classes, np.int64)
    for record in truth:
        objects += np.bincount(record.labels[~record.difficult], minlength=num_classes)
    found = [_match(*pair, iou_threshold) for pair in zip(truth, detections, strict=True)]
    scores = np.concatenate([image.scores for image in detections] or [np.zeros(0)])
    labels = np.concatenate([image.labels for image in detections] or [np.zeros(0, np.int32)])
    matched = np.concatenate(found or [np.zeros(0, np.int64)])
    image = np.repeat(np.arange(len(truth)), [len(image.scores) for image in detections])
    eleven, area = np.full(num_classes, np.nan), np.full(num_classes, np.nan)
    for label in np.flatnonzero(objects):
        mine = np.flatnonzero(labels == label)
        # NumPy's default sort is not stable: how equal scores rank depends on the CPU (AVX-512, AVX2 or neither) and
        # moves the area in the sixth digit. The Python translations of the devkit sort so.
        mine = mine[np.argsort(-scores[mine])]
        recall, precision = _curve(image[mine], matched[mine], int(objects[label]))
        eleven[label], area[label] = _ap_11point(recall, precision), _ap_area(recall, precision)
    return APResult(eleven, area, objects)


NOTHING, DIFFICULT = -1, -2


def _match(truth: Objects, found: Detections, iou_threshold: float) -> Int[np.ndarray, " detections"]:
    """For each detection the index of the truth that it hits; NOTHING, or DIFFICULT for one that does not count."""
    if not len(found.scores) or not len(truth.labels):
        return np.full(len(found.scores), NOTHING)
    iou = _iou_inclusive(found.boxes, truth.boxes)
    iou = np.where(found.labels[:, None] == truth.labels[None], iou, -1.0)
    best = np.argmax(iou, axis=1)
    hit = iou[np.arange(len(best)), best] > iou_threshold
    return np.where(hit, np.where(truth.difficult[best], DIFFICULT, best), NOTHING)


def _iou_inclusive(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Each with each; a box from pixel 1 to 1 has an area of 1."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.prod(np.maximum(high - low + 1, 0.0), axis=-1)
    area_a, area_b = (np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=-1) for boxes in (a, b))
    return overlap / (area_a[:, None] + area_b[None] - overlap)


def _curve(
    image: Int[np.ndarray, " detections"], matched: Int[np.ndarray, " detections"], objects: int
) -> tuple[Float[np.ndarray, " counted"], Float[np.ndarray, " counted"]]:
    """Recall and precision after each detection, best score first; the second hit of a truth is wrong."""
    counts = matched != DIFFICULT
    image, matched = image[counts], matched[counts]
    right = np.zeros(len(matched), bool)
    hits = np.flatnonzero(matched >= 0)
    _, first = np.unique(np.stack([image[hits], matched[hits]]), axis=1, return_index=True)
    right[hits[first]] = True
    recall = np.cumsum(right) / objects
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    return recall, precision


def _ap_11point(recall: Float[np.ndarray, " counted"], precision: Float[np.ndarray, " counted"]) -> float:
    """The mean over recalls 0, 0.1, ... 1 of the best precision at that recall or more."""
    return float(np.mean([np.max(precision[recall >= t], initial=0.0) for t in np.arange(0, 1.1, 0.1)]))


def _ap_area(recall: Float[np.ndarray, " counted"], precision: Float[np.ndarray, " counted"]) -> float:
    """The area under the curve, made to fall."""
    recall = np.concatenate([[0.0], recall, [1.0]])
    precision = np.concatenate([[0.0], precision, [0.0]])
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * precision[1:]))
