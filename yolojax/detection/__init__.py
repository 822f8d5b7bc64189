"""From the head to boxes, from boxes to average precision, and the loss that trains them."""

from yolojax.detection.anchors import kmeans_anchors, mean_iou
from yolojax.detection.average_precision import APResult, average_precision
from yolojax.detection.devkit import classes_with_files, read_detections, write_detections
from yolojax.detection.drawing import colour, draw
from yolojax.detection.loss import region_loss, region_loss_terms
from yolojax.detection.nms import nms
from yolojax.detection.records import Detections, Objects, to_detections
from yolojax.detection.region import decode

__all__ = [
    "APResult",
    "Detections",
    "Objects",
    "average_precision",
    "classes_with_files",
    "colour",
    "decode",
    "draw",
    "kmeans_anchors",
    "mean_iou",
    "nms",
    "read_detections",
    "region_loss",
    "region_loss_terms",
    "to_detections",
    "write_detections",
]
