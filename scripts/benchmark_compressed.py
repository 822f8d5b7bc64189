"""Bytes of the compressed file of weight-pruned networks, and the seconds of one core to write and read it.

    python scripts/benchmark_compressed.py
    python scripts/benchmark_compressed.py --model runs/weight80 --amounts 0

Prunes `--model` (by default the `--cfg` with random weights: He normal, cut at two standard deviations) at each of
`--amounts` with one global threshold, and writes it in every way. `limit` is what the values take plus the entropy of
each kernel's mask: 32 or 16 bits for each weight that is not zero; for clustered ones the entropy of the codes.
`original` is what the original study's compressed files took, for yolov2-voc (it states three digits).
"""

import pathlib
import tempfile
import time

import jax
import numpy as np
from absl import app, flags

from yolojax import darknet, network, pruning
from yolojax.export import clustering, compressed, open_model

MODEL = flags.DEFINE_string(
    "model", None, "A run, a checkpoint or a .weights file with its .cfg beside it; random weights by default."
)
CFG = flags.DEFINE_string("cfg", "third_party/darknet/yolov2-voc.cfg", "The network of random weights.")
AMOUNTS = flags.DEFINE_list("amounts", ["0.7", "0.75", "0.8", "0.9"], "Fractions of all weights to drop.")
BITS = flags.DEFINE_list("bits", ["5"], "Bits of the clustered values' codes.")

YOLOV2_VOC_WEIGHTS = 50_634_592
ORIGINAL = {0.7: 76.6, 0.75: 66.8, 0.8: 56.9, 0.9: 35.6}


def main(_: list[str]) -> None:
    model = _network()
    print("| dropped | values | MB | limit, MB | of it | original, MB | write, CPU s | read, CPU s | largest error |")
    print("|---" * 9 + "|")
    for amount in map(float, AMOUNTS.value):
        masked = model.masked(pruning.weight_masks(model.architecture, model.params, amount)) if amount else model
        pruned = jax.tree.map(np.asarray, masked.variables)
        for values, bits in [("float32", 0), ("float16", 0), *(("clustered", int(bits)) for bits in BITS.value)]:
            print(_row(model.architecture, pruned, amount, values, bits), flush=True)


def _network() -> network.Model:
    if MODEL.value:
        return open_model(MODEL.value)
    architecture = darknet.read_cfg(CFG.value)
    return network.Model(architecture, network.init(architecture, jax.random.key(0)))


def _row(
    architecture: network.Architecture, variables: network.Variables, amount: float, values: str, bits: int
) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "network"
        start = time.process_time()
        compressed.write_compressed(path, architecture, variables, values=values, bits=bits)
        written = time.process_time()
        _, found, _ = compressed.read_compressed(path)
        read, size = time.process_time(), path.stat().st_size
    original = ORIGINAL.get(amount, "") if _weights(variables) == YOLOV2_VOC_WEIGHTS else ""
    error = max(float(np.max(np.abs(a - b))) for a, b in zip(*map(jax.tree.leaves, (variables, found)), strict=True))
    limit = _limit(variables, values, bits)
    kind = f"{values}, {bits} bits" if values == "clustered" else values
    return (
        f"| {amount:.0%} | {kind} | {size / 1e6:.2f} | {limit / 1e6:.2f} | {size / limit:.4f} | "
        f"{original} | {written - start:.1f} | {read - written:.1f} | {error:.2g} |"
    )


def _weights(variables: network.Variables) -> int:
    return sum(layer["kernel"].size for layer in variables["params"].values())


def _limit(variables: network.Variables, values: str, bits: int) -> float:
    """Bytes."""
    total = 0.0
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        if path[-1].key != "kernel":
            total += 32 * leaf.size
            continue
        weights = leaf[leaf != 0]
        total += _entropy([weights.size, leaf.size - weights.size])
        if values == "clustered" and weights.size:
            total += _entropy(np.bincount(clustering.cluster(weights, 1 << bits).codes))
        else:
            total += weights.size * {"float32": 32, "float16": 16}.get(values, 0)
    return total / 8


def _entropy(counts: list[int] | np.ndarray) -> float:
    """Bits for all symbols, as frequent as `counts` says."""
    used = np.asarray(counts)[np.asarray(counts) > 0]
    return float(used @ np.log2(used.sum() / used))


if __name__ == "__main__":
    app.run(main)
