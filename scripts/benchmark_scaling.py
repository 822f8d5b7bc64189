"""Training steps per second on one process and on several, each pinned to a core of its own, in one run.

    python scripts/benchmark_scaling.py --processes=1,2

CPU only; needs Linux. The contestants take turns. A small network on random batches, so that what is added by more
processes shows: the all-reduce of gradients and BN statistics (gloo here) and waiting for the slowest. `strong`: the
global batch stays; `weak`: each process keeps its batch.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

import jax
import numpy as np
from absl import app, flags

from yolojax import darknet, network, pruning, training

CFG = flags.DEFINE_string("cfg", "configs/shapes.cfg", "The network.")
SIZE = flags.DEFINE_integer("size", 160, "Input size in pixels.")
PROCESSES = flags.DEFINE_list("processes", ["1", "2"], "Numbers of processes.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Images of a batch: in all for strong scaling, each for weak.")
STEPS = flags.DEFINE_integer("steps", 20, "Timed steps of each start.")
ROUNDS = flags.DEFINE_integer("rounds", 3, "Starts of each contestant.")
WORKER = flags.DEFINE_string("worker", None, "Internal: COORDINATOR,PROCESSES,PROCESS,GLOBAL BATCH.")
MAX_BOXES = 10


def main(_: list[str]) -> None:
    if WORKER.value:
        coordinator, processes, process, batch_size = WORKER.value.split(",")
        work(coordinator, int(processes), int(process), int(batch_size))
        return
    counts = [int(count) for count in PROCESSES.value]
    cores = len(os.sched_getaffinity(0))
    if max(counts) > cores or any(BATCH_SIZE.value % count for count in counts):
        sys.exit(f"error: processes {counts}, expected at most {cores} (cores), dividing the batch {BATCH_SIZE.value}")
    runs = {("strong", n): BATCH_SIZE.value for n in counts} | {("weak", n): BATCH_SIZE.value * n for n in counts}
    seconds: dict[tuple[str, int], list[float]] = {run: [] for run in runs}
    for _ in range(ROUNDS.value):
        for (kind, n), batch_size in runs.items():
            seconds[kind, n].append(start(n, batch_size))
    architecture = darknet.read_cfg(CFG.value)
    params = pruning.count_parameters(network.init(architecture, jax.random.key(0))["params"])
    print(f"{CFG.value} at {SIZE.value}, {params:,} parameters: {4 * params / 1e6:.2f} MB of gradients a step\n")
    print("| scaling | processes | global batch | ms a step | images/s | of ideal |\n|---|---|---|---|---|---|")
    for (kind, n), batch_size in runs.items():
        step = statistics.median(seconds[kind, n])
        one = statistics.median(seconds[kind, counts[0]]) / runs[kind, counts[0]] * counts[0]
        share = one * batch_size / n / step
        print(f"| {kind} | {n} | {batch_size} | {1e3 * step:.1f} | {batch_size / step:.1f} | {share:.0%} |")


def start(processes: int, batch_size: int) -> float:
    """Seconds of a step, as process 0 of a new job sees them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        coordinator = f"localhost:{free.getsockname()[1]}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    command = [sys.executable, *sys.argv, "--worker"]
    workers = [
        subprocess.Popen(
            [*command, f"{coordinator},{processes},{i},{batch_size}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for i in range(processes)
    ]
    outputs = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        sys.exit(f"error: a worker failed: {[worker.returncode for worker in workers]}")
    return json.loads(outputs[0].splitlines()[-1])


def work(coordinator: str, processes: int, process: int, batch_size: int) -> None:
    """One process of a job; prints the median seconds of a step."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[process]})
    if processes > 1:
        jax.distributed.initialize(coordinator, processes, process)
    architecture = darknet.read_cfg(CFG.value).resized(SIZE.value, SIZE.value)
    rate = training.learning_rate_schedule("constant", peak=1e-4, warmup_steps=0, steps=1)
    optimizer = training.make_optimizer("sgd", rate, momentum=0.9, decay=5e-4)
    step = training.compile_train_step(architecture, optimizer)
    variables = network.init(architecture, jax.random.key(0))
    state = training.replicate(training.create_state(variables, optimizer))
    rng, share = np.random.default_rng(process), batch_size // processes
    truth = np.zeros((share, MAX_BOXES, 5), np.float32)
    truth[:, 0] = (0.5, 0.5, 0.4, 0.4, 0)
    images = rng.integers(0, 256, (share, SIZE.value, SIZE.value, 3), np.uint8)
    seconds = []
    for i in range(3 + STEPS.value):
        began = time.perf_counter()
        state, _ = step(state, {"image": images, "truth": truth})
        if i >= 3:
            seconds.append(time.perf_counter() - began)
    print(json.dumps(statistics.median(seconds)), flush=True)


if __name__ == "__main__":
    app.run(main)
