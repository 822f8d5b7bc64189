"""Filters chosen so that a call takes a given time: by a table of latencies, and by timing what comes out."""

import dataclasses
import hashlib
import os
import pathlib
from typing import NamedTuple

import jax
from absl import logging

from yolojax import darknet, data, network, pruning, runtimes
from yolojax.network import Architecture, Masks, Model
from yolojax.pruning import Scores
from yolojax.reporting.report import Latency
from yolojax.runs import rounds
from yolojax.runs.workdir import holds_training
from yolojax.runtimes import LatencyTable, Runtime
from yolojax.settings import Settings

FILE = "latency.json"
NEAR = 0.1  # a call that takes this share less than the budget is near enough
TRIES = 5
DAMPED = 0.7  # by how much of what was measured the table is corrected: times are noisy


def wanted(settings: Settings) -> bool:
    """Whether the budget is one of time."""
    return bool(settings.prune.budget) and pruning.parse_budget(settings.prune.budget).unit == pruning.LATENCY


def with_table(settings: Settings, architecture: Architecture) -> Settings:
    """The settings with the table that the budget needs: the one that they name, else the one of `cached`.

    Raises ValueError for several processes, for a runtime that is not there or does not tell what layers take, and for
    a table of another network.
    """
    if not wanted(settings):
        return settings
    if jax.process_count() > 1:
        raise ValueError("prune.budget latency=... is measured by one process; prune on one machine, then retrain")
    runtime, given = runtime_of(settings, architecture), settings.prune.latency_table
    path = pathlib.Path(given) if given else cached(architecture, runtime, settings.eval.size)
    return _by(settings, path, _read(path, architecture))


def _read(path: pathlib.Path, architecture: Architecture) -> LatencyTable:
    """The table, which has to be of a network with the same layers."""
    table = runtimes.read_table(path)
    names = {architecture.name(index) for index in range(len(architecture.layers))}
    if different := sorted(names ^ table.layers.keys()):
        raise ValueError(f"{path}: {different[0]} is in one of the table and the network; give this network's table")
    return table


def runtime_of(settings: Settings, architecture: Architecture) -> Runtime:
    """The runtime of the settings, which the budget is for; without one the fastest that is installed."""
    if settings.eval.runtime == "none":
        raise ValueError("prune.budget latency=... needs a runtime; give eval.runtime one, or leave it empty")
    return runtimes.choose(settings.eval.runtime, runtimes.Program(architecture, ()))


def cached(architecture: Architecture, runtime: Runtime, size: int) -> pathlib.Path:
    """Where the table of this network, runtime and machine is kept; it is measured where there is none."""
    about = [darknet.format_cfg(architecture), runtime.name, str(size)]
    about += [runtime.version, runtimes.describe_machine()]
    name = hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "yolojax"
    path = folder / f"latency-{name}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        runtimes.measure_latency(architecture, runtime, size=size).write(path)
    return path


def choose(
    settings: Settings, model: Model, train_set: data.Dataset | None, workdir: pathlib.Path
) -> tuple[Settings, Scores, Masks, Latency | None]:
    """`rounds.choose`; for a budget of time, again until a call of what is left takes it, within 10% and from below.

    The table, corrected by what was measured, stays in `workdir`, so that a retraining that goes on chooses the same.
    """
    if not wanted(settings):
        return settings, *rounds.choose(settings, model, train_set), None
    settings = with_table(settings, model.architecture)
    path, runtime = workdir / FILE, runtime_of(settings, model.architecture)
    budget = pruning.parse_budget(settings.prune.budget)
    again = holds_training(workdir)
    table = _read(path if again else pathlib.Path(settings.prune.latency_table), model.architecture)
    logging.info(
        "latency in %s: %.2f ms; by the table within %.0f%%; multiples of %d filters",
        table.where,
        1e3 * table.unpruned,
        100 * table.error,
        table.grid,
    )
    attempts: list[_Attempt] = []
    while not attempts or (not again and len(attempts) < TRIES and not attempts[-1].near):
        if attempts:
            table = attempts[-1].corrected()
        table.write(path)
        attempts.append(_attempt(_by(settings, path, table), model, train_set, table, budget, runtime))
    best = min(
        attempts, key=lambda attempt: (attempt.measured > attempt.target, abs(attempt.measured / attempt.target - 1))
    )
    best.table.write(path)
    found = Latency(best.target, attempts[0].promised, best.measured, table.where)
    return best.settings, best.scores, best.masks, found


class _Attempt(NamedTuple):
    """Filters that were chosen by a table, and how long a call without them takes, in seconds; `whole`: with all."""

    settings: Settings
    scores: Scores
    masks: Masks
    table: LatencyTable
    target: float
    promised: float
    measured: float
    whole: float

    @property
    def near(self) -> bool:
        """Whether the budget holds, and little of it is left."""
        return self.target * (1 - NEAR) <= self.measured <= self.target

    def corrected(self) -> LatencyTable:
        """The table, with part of what it was wrong by taken back."""
        aim = self.target * (1 - NEAR / 2)
        wrong = self.measured / self.promised * self.target / aim
        return dataclasses.replace(self.table, correction=self.table.correction * wrong**DAMPED, unpruned=self.whole)


def _attempt(
    settings: Settings,
    model: Model,
    train_set: data.Dataset | None,
    table: LatencyTable,
    budget: pruning.Budget,
    runtime: Runtime,
) -> _Attempt:
    scores, masks = rounds.choose(settings, model, train_set)
    left = network.with_filters(model.architecture, _counts(masks))
    measured, whole = runtimes.time_networks([left, model.architecture], runtime, size=settings.eval.size)
    target, promised = budget.value * (whole if budget.share else 1), table.seconds(left)
    logging.info("%.2f ms promised, %.2f measured, %.2f asked for", 1e3 * promised, 1e3 * measured, 1e3 * target)
    return _Attempt(settings, scores, masks, table, target, promised, measured, whole)


def _counts(masks: Masks) -> dict[str, int]:
    return {name: int(network.alive_filters(mask).sum()) for name, mask in masks.items()}


def _by(settings: Settings, path: pathlib.Path, table: LatencyTable) -> Settings:
    """The settings with that table, and its grid where they ask for none."""
    grid = table.grid if settings.prune.round_to == 1 else settings.prune.round_to
    return settings.replace(prune={"latency_table": str(path), "round_to": grid})
