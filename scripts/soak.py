"""Trains at several sizes and evaluates, over and over, and says whether memory, compilations and files stay flat.

    python scripts/soak.py --minutes 60 --workdir runs/soak

On generated shapes, a small network under other masks in every evaluation. A row per round: 20 training steps and one
evaluation; a checkpoint every fifth. It ends by SIGTERM to itself, as a cloud would end it. Exit code 1 where something
grows.
"""

import os
import pathlib
import resource
import signal
import sys
import time

import jax
import jax.monitoring
import numpy as np
from absl import app, flags, logging

from yolojax import darknet, data, network, pruning, training

MINUTES = flags.DEFINE_float("minutes", 60.0, "How long, and three rounds at least.")
WORKDIR = flags.DEFINE_string("workdir", "runs/soak", "Gets checkpoints and metrics; must not exist.")
SIZES = (96, 128, 160)
ROUND = 20  # steps
# Steps. Not each round: a save leaves some 30 kB behind in TensorStore (docs/benchmarks.md, Soak).
SAVE = 5 * ROUND
GROWTH = 0.02  # of the memory, from the middle third of the rounds to the last, that counts as flat
COMPILED = "/jax/core/compile/backend_compile_duration"


class Soak:
    """Evaluates after each round and keeps its row."""

    def __init__(self, evaluator: training.Evaluator, architecture: network.Architecture, workdir: pathlib.Path):
        self.rows: list[dict[str, float]] = []
        self._evaluator, self._architecture, self._workdir = evaluator, architecture, workdir
        self._start, self._compilations = time.monotonic(), 0
        jax.monitoring.register_event_duration_secs_listener(self._count)
        print("| round | minutes | RSS MB | peak MB | compilations | checkpoints kB | log kB | open files | mAP |")
        print("|---" * 9 + "|")

    def _count(self, event: str, duration_secs: float, **_: str | int) -> None:
        self._compilations += event == COMPILED

    def evaluate(self, variables: network.Variables) -> dict[str, float]:
        """mAP under masks of another sparsity each round."""
        model = network.Model(self._architecture, variables)
        masks = pruning.weight_masks(model.architecture, model.params, len(self.rows) % 9 / 20)
        result = self._evaluator.evaluate(model.masked(masks).variables)
        self._add(result.map_11point)
        if len(self.rows) >= 3 and time.monotonic() - self._start > 60 * MINUTES.value:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"map_11point": result.map_11point}

    def _add(self, mean_ap: float) -> None:
        row = {
            "round": len(self.rows) + 1,
            "minutes": (time.monotonic() - self._start) / 60,
            "rss": resident_bytes() / 1e6,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
            "compilations": self._compilations,
            "checkpoints": size_of(self._workdir / "checkpoints") / 1e3,
            "log": (size_of(self._workdir) - size_of(self._workdir / "checkpoints")) / 1e3,
            "open": len(os.listdir("/proc/self/fd")),
        }
        self.rows.append(row)
        numbers = " | ".join(f"{value:.1f}" if name == "minutes" else f"{value:.0f}" for name, value in row.items())
        print(f"| {numbers} | {mean_ap:.4f} |", flush=True)


def resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def size_of(folder: pathlib.Path) -> int:
    """Bytes of all files under a folder; saves are in progress, so files may go while it counts."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = pathlib.Path(parent, name)
            total += path.stat().st_size if path.exists() else 0
    return total


def verdict(rows: list[dict[str, float]]) -> list[str]:
    """What grew between the middle third of the rounds and the last; empty where all is flat."""
    third = len(rows) // 3
    if third <= 2 * SAVE // ROUND:
        return [f"{len(rows)} rounds are too few to say; give more minutes"]
    middle, last = rows[third:-third], rows[-third:]
    found = []
    for name in ("rss", "compilations", "checkpoints", "open"):
        before, after = (float(np.median([row[name] for row in part])) for part in (middle, last))
        print(f"{name}: {before:.1f} in the middle third, {after:.1f} in the last ({after - before:+.1f})")
        if after > before * (1 if name == "compilations" else 1 + GROWTH):
            found.append(f"{name} grows")
    return found


def main(_: list[str]) -> None:
    workdir = pathlib.Path(WORKDIR.value)
    if workdir.exists():
        sys.exit(f"error: {workdir} exists; remove it, or name another folder")
    logging.set_verbosity(logging.WARNING)
    train_set, test_set = (data.open_dataset("shapes", split) for split in ("train", "test"))
    architecture = network.for_classes(darknet.read_cfg("configs/shapes.cfg"), len(train_set.names), ())
    rate = training.learning_rate_schedule("constant", peak=1e-3, warmup_steps=0, steps=1)
    optimizer = training.make_optimizer("adam", rate, momentum=0.9, decay=5e-4)
    batches = data.train_batches(train_set, batch_size=16, sizes=SIZES, seed=0, augment=data.AugmentConfig())
    evaluator = training.Evaluator(architecture, test_set, training.Protocol(size=SIZES[-1]), batch_size=16)
    soak = Soak(evaluator, architecture, workdir)
    try:
        training.fit(
            training.create_state(network.init(architecture, jax.random.key(0)), optimizer),
            training.compile_train_step(architecture, optimizer),
            batches,
            architecture=architecture,
            names=train_set.names,
            workdir=workdir,
            settings=training.LoopSettings(10**9, log_every=ROUND, save_every=SAVE, eval_every=ROUND),
            learning_rate=rate,
            evaluate=soak.evaluate,
        )
    except SystemExit:
        print(f"\n{len(soak.rows)} rounds of {ROUND} training steps and an evaluation of {len(test_set)} images")
    if found := verdict(soak.rows):
        sys.exit("error: " + "; ".join(found))
    print("flat")


if __name__ == "__main__":
    app.run(main)
