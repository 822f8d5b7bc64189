"""From masks to the smaller network: repaired where the settings say so, and checked against the masked one."""

import dataclasses
import pathlib
import time

import jax
import numpy as np
from absl import logging

from yolojax import data, network, pruning
from yolojax.files import write_json
from yolojax.network import Masks, Model
from yolojax.pruning import Scores
from yolojax.runs import masking, setup
from yolojax.settings import Settings


def off_grid(settings: Settings, model: Model, scores: Scores) -> dict[str, int] | None:
    """Parameters and MACs that would be left without `prune.round_to`; None where it asks for nothing."""
    if settings.prune.method != "filter" or settings.prune.round_to == 1:
        return None
    free = settings.replace(prune={"round_to": 1})
    smaller = removed_model(model, masking.make_masks(free.prune, model, scores, size=settings.eval.size))
    return {
        "parameters": pruning.count_parameters(smaller.params),
        "macs": pruning.macs(smaller.architecture, settings.eval.size, settings.eval.size),
    }


def smaller_model(
    settings: Settings, model: Model, masks: Masks, train_set: data.Dataset | None, workdir: pathlib.Path
) -> Model:
    """The model without its dropped filters, repaired where the settings say so; `workdir` gets removal.json."""
    masked = masked_model(settings, model, masks, train_set)
    smaller = removed_model(masked, masks)
    difference = head_difference(masked, smaller, settings.eval.size)
    if jax.process_index() == 0:
        write_json(workdir / "removal.json", {"max_difference": difference})
    return smaller


def masked_model(settings: Settings, model: Model, masks: Masks, train_set: data.Dataset | None) -> Model:
    """The masked model; with `prune.repair` what stays is refitted, by `prune.images` training images."""
    if not settings.prune.repair:
        return model.masked(masks)
    start = time.monotonic()
    batches = setup.plain_batches(settings, train_set, settings.prune.images)
    variables = pruning.repair(model.architecture, model.variables, masks, (batch["image"] for batch in batches))
    logging.info("repaired in %.1f s, without labels", time.monotonic() - start)
    return dataclasses.replace(model, variables=variables)


def removed_model(model: Model, masks: Masks) -> Model:
    """The model without its dropped filters."""
    architecture, variables = pruning.remove_filters(model.architecture, model.variables, masks)
    return dataclasses.replace(model, architecture=architecture, variables=variables)


def head_difference(masked: Model, removed: Model, size: int) -> float:
    """The largest difference of two heads on a random image, relative to the largest value."""
    image = jax.random.uniform(jax.random.key(0), (1, size, size, masked.architecture.net.channels))
    first, second = (
        np.asarray(jax.jit(network.apply, static_argnums=0)(m.architecture, m.variables, image))
        for m in (masked, removed)
    )
    return float(np.max(np.abs(first - second)) / np.max(np.abs(first)))
