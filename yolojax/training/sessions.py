"""Prediction by another runtime: its head, decoded by the same functions as JAX's."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from yolojax import data, network, runtimes
from yolojax.network import Variables
from yolojax.training.steps import find

Predict = Callable[[Variables | None, data.Batch], data.Batch]


def session_step(
    session: runtimes.Session, architecture: network.Architecture, *, score_threshold: float, nms_iou: float
) -> Predict:
    """`predict_step` of whole host batches, with the variables that the session has loaded, whichever are given."""
    decode = jax.jit(functools.partial(find, architecture, score_threshold=score_threshold, nms_iou=nms_iou))

    def run(variables: Variables | None, batch: data.Batch) -> data.Batch:
        head = session(np.asarray(network.to_input(architecture, batch["image"])))
        boxes, scores = jax.device_get(decode(head))
        return {**batch, "boxes": boxes, "scores": scores}

    return run
