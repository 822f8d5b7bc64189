"""How well a table of latencies knows a network that it has not seen: promised against measured.

    python scripts/benchmark_latency.py --cfg third_party/darknet/yolov2-voc.cfg --runtime openvino

Filters go by LAMP over the time that they cost; the weights are random.
"""

import jax
from absl import app, flags

from yolojax import darknet, network, pruning, runtimes

CFG = flags.DEFINE_string("cfg", "third_party/darknet/yolov2-voc.cfg", "The network.")
RUNTIME = flags.DEFINE_string("runtime", "openvino", "Of those that tell what each layer takes.")
SHARES = flags.DEFINE_list("shares", ["0.5", "0.3", "0.15"], "Budgets, of the unpruned network's time.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each network.")


def main(_: list[str]) -> None:
    architecture = darknet.read_cfg(CFG.value)
    params = network.init(architecture, jax.random.key(0))["params"]
    runtime, size = runtimes.RUNTIMES[RUNTIME.value], architecture.net.width
    table = runtimes.measure_latency(architecture, runtime, size=size)
    print(f"{CFG.value} at {size} in {table.where}; multiples of {table.grid}; error of the fit {table.error:.1%}\n")
    print("| budget | MACs | promised ms | measured ms | measured : promised |\n|---|---|---|---|---|")
    scores = pruning.scores(pruning.CRITERIA["lamp"], architecture, params, kind="filter")
    limits = pruning.Limits(round_to=table.grid)
    for share in map(float, SHARES.value):
        target = share * table.unpruned
        masks = pruning.budget_masks(architecture, params, scores, cost=table.seconds, target=target, limits=limits)
        counts = {name: int(network.alive_filters(mask).sum()) for name, mask in masks.items()}
        left = network.with_filters(architecture, counts)
        (measured,) = runtimes.time_networks([left], runtime, size=size, rounds=ROUNDS.value)
        promised, macs = table.seconds(left), pruning.macs(left) / pruning.macs(architecture)
        print(f"| {share:.0%} | {macs:.0%} | {1e3 * promised:.1f} | {1e3 * measured:.1f} | {measured / promised:.2f} |")


if __name__ == "__main__":
    app.run(main)
