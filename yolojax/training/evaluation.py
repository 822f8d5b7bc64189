"""A network on a data set: detections of every image, and VOC average precision with its protocol."""

import copy
import dataclasses
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from yolojax import data, detection, network, runtimes
from yolojax import progress as bars
from yolojax.network import Variables
from yolojax.training import parallel
from yolojax.training.sessions import session_step

AGREED_FROM = 0.25  # the score from which what a network finds stands in for labels
WITHOUT_LABELS = "without labels"  # what the text of such a protocol has
AGREEMENT = "agreement with the unpruned network, not mAP against labels"


@dataclasses.dataclass(frozen=True)
class Matching:
    """How detections are counted, wherever they come from."""

    match_iou: float = dataclasses.field(default=0.5, kw_only=True)

    def __str__(self) -> str:
        return f"detections as given, {self._text}"

    @property
    def quantity(self) -> str:
        """What a mean average precision is called."""
        return "mAP"

    @property
    def _text(self) -> str:
        return f"devkit matching at IoU > {self.match_iou}, difficult objects ignored"


@dataclasses.dataclass(frozen=True)
class Protocol(Matching):
    """How detections are made and counted; it goes beside every mAP. ValueError for thresholds outside 0..1.

    `agreement` counts them against what the unpruned network finds, from `AGREED_FROM` on, in place of labels.
    """

    size: int = 416
    score_threshold: float = 0.005
    nms_iou: float = 0.45
    agreement: bool = False

    def __post_init__(self) -> None:
        for name in ("score_threshold", "nms_iou", "match_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)}, expected 0..1")

    def __str__(self) -> str:
        return (
            f"{self.size}x{self.size} (stretched), confidence >= {self.score_threshold}, per-class NMS at IoU "
            f"{self.nms_iou}, {self._text}{self._truth}"
        )

    @property
    def quantity(self) -> str:
        return "agreement" if self.agreement else "mAP"

    @property
    def _truth(self) -> str:
        if not self.agreement:
            return ""
        least = max(AGREED_FROM, self.score_threshold)
        return f", {WITHOUT_LABELS}: against what the unpruned network finds at confidence >= {least}"


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation:
    """VOC AP of one network, or of any detector's files, on one split.

    AP of a class without objects is None and not in the mean, which is 0 when no class has any.
    `seconds` is the network's time; 0 for files.
    """

    images: int
    objects: int
    detections: int
    map_11point: float
    map_area: float
    ap_11point: dict[str, float | None]
    ap_area: dict[str, float | None]
    map_11point_at_025: float
    protocol: Matching
    seconds: float

    def __str__(self) -> str:
        """A table of classes, their mean, and how it was measured."""
        width = max(len(name) for name in (*self.ap_11point, "class"))
        lines = [f"{'class':{width}}  11-point    area"]
        for name, value in self.ap_11point.items():
            area = self.ap_area[name]
            lines.append(f"{name:{width}}  " + ("no objects" if value is None else f"{value:8.4f}  {area:6.4f}"))
        lines.append(f"{'mean':{width}}  {self.map_11point:8.4f}  {self.map_area:6.4f}")
        lines.append(f"{self.images} images, {self.objects} objects, {self.detections} detections; {self.protocol}")
        return "\n".join(lines)

    __repr__ = __str__

    def to_json(self) -> dict[str, object]:
        """Plain dicts, strings and numbers."""
        return {**dataclasses.asdict(self), "protocol_text": str(self.protocol)}


class Evaluator:
    """Evaluates networks of one architecture on one data set with one compiled function.

    Masks change values and not shapes, so one evaluator serves a network before and after masking.
    """

    def __init__(
        self,
        architecture: network.Architecture,
        dataset: data.Dataset,
        protocol: Protocol,
        *,
        batch_size: int,
        dtype: DTypeLike = jnp.float32,
        threads: int = 2,
        session: runtimes.Session | None = None,
    ):
        """A `session`, loaded for batches of `batch_size`, runs the network in place of JAX's devices."""
        network.check_channels(architecture)
        network.check_size(architecture, protocol.size)
        self.dataset = dataset
        self.protocol = protocol
        self.annotations = dataset.truth()
        self._threads = threads
        self._batch_size = batch_size if session else parallel.round_up_batch(batch_size)
        thresholds = {"score_threshold": protocol.score_threshold, "nms_iou": protocol.nms_iou}
        self._predict = (
            parallel.compile_predict_step(architecture, **thresholds, dtype=dtype)
            if session is None
            else session_step(session, architecture, **thresholds)
        )

    def agreeing_with(self, found: Sequence[detection.Detections]) -> "Evaluator":
        """This evaluator with `found`, one entry per image, in place of the labels that its data lack.

        The objects are those that score `AGREED_FROM` or more; what is compiled is shared.
        """
        other = copy.copy(self)
        other.annotations = as_truth(self.annotations, found)
        other.dataset = dataclasses.replace(self.dataset, found=other.annotations)
        return other

    def predict(self, variables: Variables | None, *, progress: str | None = "evaluate") -> list[detection.Detections]:
        """The detections of each image, in the data set's order; an image without any has an empty entry.

        `progress` names the bar; None shows none. `variables` may be None where a session runs the network.
        """
        replicated = parallel.replicate(variables or {})
        found: list[detection.Detections | None] = [None] * len(self.annotations)
        batches = data.eval_batches(
            self.dataset,
            batch_size=self._batch_size,
            size=self.protocol.size,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            threads=self._threads,
        )
        hidden = progress is None or jax.process_index() > 0
        with bars.progress(what=progress or "", unit="img", total=len(found), hidden=hidden) as bar:
            for batch in batches:
                result = self._predict(replicated, batch)
                for row in np.flatnonzero(result["valid"]):
                    index = int(result["index"][row])
                    found[index] = detection.to_detections(
                        result["boxes"][row],
                        result["scores"][row],
                        self.annotations[index].width,
                        self.annotations[index].height,
                    )
                bar.update(int(np.sum(result["valid"])))
        missing = sum(image is None for image in found)
        assert missing == 0, f"{missing} images were not evaluated"
        return [image for image in found if image is not None]

    def evaluate(self, variables: Variables, *, progress: str | None = "evaluate") -> Evaluation:
        """mAP and AP per class of `variables`."""
        start = time.monotonic()
        found = self.predict(variables, progress=progress)
        return score(self.annotations, found, self.dataset.names, self.protocol, seconds=time.monotonic() - start)


def as_truth(
    annotations: Sequence[data.Annotation], found: Sequence[detection.Detections], *, threshold: float = AGREED_FROM
) -> list[data.Annotation]:
    """The images of `annotations` with what was `found` in them, from score `threshold` on, as their objects."""
    truth = []
    for annotation, image in zip(annotations, found, strict=True):
        boxes, scores, labels = _at_least(image, threshold)
        truth.append(annotation._replace(objects=detection.Objects(boxes, labels, np.zeros(len(scores), bool))))
    return truth


def score(
    annotations: Sequence[data.Annotation],
    detections: Sequence[detection.Detections],
    names: Sequence[str],
    protocol: Matching,
    *,
    seconds: float = 0.0,
) -> Evaluation:
    """VOC AP, 11-point and area, of `detections` (one entry per annotation)."""
    truth = [annotation.objects for annotation in annotations]
    iou = protocol.match_iou
    result = detection.average_precision(truth, detections, len(names), iou_threshold=iou)
    confident = [_at_least(image, 0.25) for image in detections]
    at_025 = detection.average_precision(truth, confident, len(names), iou_threshold=iou)
    return Evaluation(
        images=len(truth),
        objects=int(result.objects.sum()),
        detections=sum(len(image.scores) for image in detections),
        map_11point=_known(result.map_11point),
        map_area=_known(result.map_area),
        ap_11point=_by_name(names, result.ap_11point),
        ap_area=_by_name(names, result.ap_area),
        map_11point_at_025=_known(at_025.map_11point),
        protocol=protocol,
        seconds=round(seconds, 2),
    )


def _at_least(image: detection.Detections, threshold: float) -> detection.Detections:
    keep = image.scores >= threshold
    return detection.Detections(image.boxes[keep], image.scores[keep], image.labels[keep])


def _known(mean_ap: float) -> float:
    """0 where no class has an object: JSON has no NaN."""
    return 0.0 if np.isnan(mean_ap) else mean_ap


def _by_name(names: Sequence[str], ap: np.ndarray) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(names, ap, strict=True)}
