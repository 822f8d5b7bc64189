"""Milliseconds of the networks of a run, in the runtime that its config names."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from absl import logging

from yolojax import runtimes
from yolojax.network import Model
from yolojax.reporting.stages import Speed, Stage
from yolojax.settings import EvalSettings

NOT_TIMED = "none"
ROUNDS, LAYER_ROUNDS = 8, 10


def check(settings: EvalSettings) -> None:
    """Raises ValueError for a runtime that is not installed: before the long work, not after it."""
    if settings.runtime not in ("", NOT_TIMED):
        runtimes.RUNTIMES[settings.runtime].check_installed()


def timed(settings: EvalSettings, stages: Sequence[Stage], models: Mapping[str, Model]) -> list[Stage]:
    """The stages with what one image takes in each one's network, measured in turns.

    Args:
      settings: the size and the runtime.
      stages: of a run.
      models: {stage: its network}; stages of one network, or of networks with the same layers, are timed once.

    The time of another process of the run, and of a run that asks for none, is None.
    """
    if settings.runtime == NOT_TIMED or jax.process_index() > 0:
        return list(stages)
    programs = {model.architecture: runtimes.make_program(model, size=settings.size) for model in models.values()}
    runtime = runtimes.choose(settings.runtime, next(iter(programs.values())))
    loaded = {}
    for architecture, program in programs.items():
        session, net = runtime.load(program), program.architecture.net
        loaded[architecture] = session, session.arrange(np.zeros((1, net.height, net.width, net.channels), np.float32))
    calls = {key: functools.partial(session.run, arranged) for key, (session, arranged) in loaded.items()}
    where = f"{runtime.version} on {runtimes.describe_machine()}"
    speeds = {}
    for architecture, timing in runtimes.race(calls, rounds=ROUNDS).items():
        logging.info("%.2f ms an image in %s", 1e3 * timing.median, where)
        session, arranged = loaded[architecture]
        speeds[architecture] = Speed(where, timing, session.layer_seconds(arranged, LAYER_ROUNDS))
    return [dataclasses.replace(stage, speed=speeds[models[stage.name].architecture]) for stage in stages]
