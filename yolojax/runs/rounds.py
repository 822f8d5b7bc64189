"""Pruning in rounds: filters that are chosen again on a repaired network, weights that go while training."""

import dataclasses
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
import optax
from absl import logging

from yolojax import data, network, pruning, training
from yolojax.network import Architecture, Masks, Model
from yolojax.pruning import Scores
from yolojax.runs import masking, removing, setup
from yolojax.settings import PruneSettings, Settings

Change = Callable[[training.TrainState], training.TrainState]
Changes = Callable[[optax.GradientTransformation, int], Mapping[int, Change]]
"""(the optimizer, the steps in all) -> {step: what becomes of the state after it}."""


def choose(settings: Settings, model: Model, train_set: data.Dataset | None) -> tuple[Scores, Masks]:
    """The scores by which the last of what goes was chosen, and the masks.

    With several rounds of filters, part of the way is gone in each, and the network that is left, repaired where the
    settings say so, is scored for the next.
    """
    about = settings.prune
    rounds = about.rounds if about.method == "filter" else 1
    scores, masks, current = score(settings, model, train_set), None, model
    for done in range(1, rounds + 1):
        if masks is not None:
            current = removing.masked_model(settings, model, masks, train_set)
            scores = without_dropped(score(settings, current, train_set), masks)
        masks = masking.make_masks(about, model, scores, size=settings.eval.size, part=done / rounds)
        if rounds > 1:
            logging.info("round %d of %d", done, rounds)
    assert masks is not None  # there is a round
    return scores, masks


def score(settings: Settings, model: Model, train_set: data.Dataset | None) -> Scores:
    """The scores by the criterion of the settings, which sees `prune.images` training images where it needs any."""
    if not settings.prune.chosen.needs.data:
        return masking.make_scores(settings.prune, model)
    return masking.make_scores(settings.prune, model, setup.plain_batches(settings, train_set, settings.prune.images))


def without_dropped(scores: Scores, masks: Masks) -> Scores:
    """The scores of filters, with those that are gone below all others of their layer: they go first again."""
    found = {}
    for name, values in scores.items():
        scored = np.asarray(values, np.float64)
        lowest = np.min(scored[np.isfinite(scored)], initial=0.0)
        found[name] = np.where(network.alive_filters(masks[name]), scored, lowest - 1.0)
    return found


def weights_while_training(
    architecture: Architecture, *, amount: float, criterion: pruning.Criterion, scope: str, rounds: int, seed: int
) -> Changes:
    """Weights that go in `rounds` over the first half of the training (Zhu & Gupta 2017): many at first, fewer later.

    The criterion sees the parameters alone.
    """

    def changes(optimizer: optax.GradientTransformation, steps: int) -> Mapping[int, Change]:
        end = max(rounds, steps // 2)
        found = {}
        for part in range(1, rounds + 1):
            step = round(end * part / rounds)
            found[step] = change(optimizer, pruning.polynomial(step, amount=amount, begin=0, end=end))
        return found

    def change(optimizer: optax.GradientTransformation, gone: float) -> Change:
        def apply(state: training.TrainState) -> training.TrainState:
            scores = pruning.scores(criterion, architecture, state.params, kind="weight", seed=seed)
            masks = pruning.weight_masks(architecture, state.params, gone, scope=scope, criterion=scores)
            params, opt_state = pruning.change_masks(optimizer, state.params, state.opt_state, masks)
            return dataclasses.replace(state, params=params, opt_state=opt_state)

        return apply

    return changes


def while_training(about: PruneSettings) -> list[str]:
    """The fields that ask for something that happens in the training after the pruning."""
    wanted = {"prune.restart": about.restart, "prune.then_weights": about.then_weights, "prune.rounds": about.gradual}
    return [name for name, value in wanted.items() if value]


def check(settings: Settings) -> None:
    """Raises ValueError for what is to happen while training, where there is no training or it cannot."""
    about = settings.prune
    if settings.train.nothing and (asked := while_training(about)):
        raise ValueError(f"{asked[0]} needs training, and train.steps and train.epochs are both 0; give one of them")
    rounds = about.rounds if about.gradual else about.then_rounds if about.then_weights else 0
    if 0 < settings.train.steps * max(1.0, settings.train.stretch) < rounds:
        raise ValueError(
            f"train.steps {settings.train.steps}, expected at least {rounds}: weights go in so many rounds"
        )
    if about.gradual and about.chosen.needs.data:
        raise ValueError(
            f"prune.criterion {about.chosen.name!r} needs images, and with prune.rounds above 1 weights are chosen "
            "while training; take prune.rounds=1 or another criterion"
        )


def dropped_share(masks: Masks) -> float:
    """The share of the kernel weights that masks drop."""
    kernels = [np.asarray(layer["kernel"]) for layer in masks.values()]
    return 1 - sum(int(np.count_nonzero(mask)) for mask in kernels) / sum(mask.size for mask in kernels)


def masks_of_zeros(model: Model) -> Masks:
    """Masks that drop the kernel weights that are 0."""
    return {
        name: {
            key: jnp.asarray(leaf) != 0 if key == "kernel" else jnp.ones(leaf.shape, bool)
            for key, leaf in layer.items()
        }
        for name, layer in model.params.items()
    }
