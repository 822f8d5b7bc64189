"""Filters chosen so that a call takes a given time: by a table of latencies, and by timing what comes out."""

import dataclasses
import hashlib
import os
import pathlib

import jax
from absl import logging

from yolojax import darknet, data, network, pruning, runtimes
from yolojax.network import Architecture, Masks, Model
from yolojax.pruning import Scores
from yolojax.reporting.report import Latency
from yolojax.runs import rounds
from yolojax.runtimes import LatencyTable, Runtime
from yolojax.settings import Settings

FILE = "latency.json"
NEAR = 0.05  # a call that takes this share less than the budget is near enough
TRIES = 3


def wanted(settings: Settings) -> bool:
    """Whether the budget is one of time."""
    return bool(settings.prune.budget) and pruning.parse_budget(settings.prune.budget).unit == pruning.LATENCY


def with_table(settings: Settings, architecture: Architecture) -> Settings:
    """The settings with the table that the budget needs; it is measured once for a network, runtime and machine.

    Raises ValueError for several processes, and for a runtime that is not there or does not tell what layers take.
    """
    if not wanted(settings):
        return settings
    if jax.process_count() > 1:
        raise ValueError("prune.budget latency=... is measured by one process; prune on one machine, then retrain")
    path = cached(architecture, runtime_of(settings, architecture), settings.eval.size)
    table = runtimes.read_table(path)
    logging.info(
        "latency in %s: %.2f ms; by the table within %.0f%%; multiples of %d filters (%s)",
        table.where,
        1e3 * table.unpruned,
        100 * table.error,
        table.grid,
        path,
    )
    return _by(settings, path, table)


def runtime_of(settings: Settings, architecture: Architecture) -> Runtime:
    """The runtime of the settings, which the budget is for; without one the fastest that is installed."""
    if settings.eval.runtime == "none":
        raise ValueError("prune.budget latency=... needs a runtime; give eval.runtime one, or leave it empty")
    variables = network.init(architecture, jax.random.key(0))
    return runtimes.choose(settings.eval.runtime, runtimes.make_program(Model(architecture, variables)))


def cached(architecture: Architecture, runtime: Runtime, size: int) -> pathlib.Path:
    """Where the table of this network, runtime and machine is kept; it is measured where there is none."""
    about = [darknet.format_cfg(architecture), runtime.name, str(size)]
    about += [runtimes.describe_package(runtime.package), runtimes.describe_machine()]
    name = hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "yolojax"
    path = folder / f"latency-{name}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        runtimes.measure_latency(architecture, runtime, size=size).write(path)
    return path


def choose(
    settings: Settings, model: Model, train_set: data.Dataset, workdir: pathlib.Path
) -> tuple[Settings, Scores, Masks, Latency | None]:
    """`rounds.choose`; for a budget of time, again until a call of what is left takes it, within 5% and from below.

    The table, corrected by what was measured, stays in `workdir`, so that a run that goes on chooses the same.
    """
    if not wanted(settings):
        return settings, *rounds.choose(settings, model, train_set), None
    path, runtime = workdir / FILE, runtime_of(settings, model.architecture)
    budget = pruning.parse_budget(settings.prune.budget)
    again = path.exists()
    table = runtimes.read_table(path if again else settings.prune.latency_table)
    promised = 0.0
    for tried in range(1 if again else TRIES):
        table.write(path)
        settings = _by(settings, path, table)
        scores, masks = rounds.choose(settings, model, train_set)
        left = network.with_filters(model.architecture, _counts(masks))
        found = table.seconds(left)
        measured, whole = runtimes.time_networks([left, model.architecture], runtime, size=settings.eval.size)
        target = budget.value * (whole if budget.share else 1)
        promised = promised or found
        logging.info("%.2f ms promised, %.2f measured, %.2f asked for", 1e3 * found, 1e3 * measured, 1e3 * target)
        if target * (1 - NEAR) <= measured <= target or tried == TRIES - 1:
            break
        aim = target * (1 - NEAR / 2)
        table = dataclasses.replace(
            table, correction=table.correction * measured / found * target / aim, unpruned=whole
        )
    return settings, scores, masks, Latency(target, promised, measured, table.where)


def _counts(masks: Masks) -> dict[str, int]:
    return {name: int(network.alive_filters(mask).sum()) for name, mask in masks.items()}


def _by(settings: Settings, path: pathlib.Path, table: LatencyTable) -> Settings:
    """The settings with that table, and its grid where they ask for none."""
    grid = table.grid if settings.prune.round_to == 1 else settings.prune.round_to
    return settings.replace(prune={"latency_table": str(path), "round_to": grid})
