"""Networks of random weights to time: as they are, and without shares of the filters of each layer.

    python scripts/random_networks.py --cfg third_party/darknet/yolov2-voc.cfg --out runs/random

Filters go by `l1`. Files are named by the percentage that is gone: 0.weights, 40.weights.
"""

import pathlib

import jax
from absl import app, flags

from yolojax import darknet, network, pruning

CFG = flags.DEFINE_string("cfg", "third_party/darknet/yolov2-voc.cfg", "The network.")
AMOUNTS = flags.DEFINE_list("amounts", ["0", "0.4", "0.8"], "Shares of the filters of each layer that are removed.")
OUT = flags.DEFINE_string("out", "runs/random", "A folder.")


def main(_: list[str]) -> None:
    folder = pathlib.Path(OUT.value)
    folder.mkdir(parents=True, exist_ok=True)
    architecture = darknet.read_cfg(CFG.value)
    variables = network.init(architecture, jax.random.key(0))
    for amount in map(float, AMOUNTS.value):
        masks = pruning.filter_masks(architecture, variables["params"], amount, criterion="l1", scope="layer")
        path = folder / f"{round(100 * amount)}.weights"
        darknet.save(*pruning.remove_filters(architecture, variables, masks), path.with_suffix(".cfg"), path)
        print(f"wrote {path}")


if __name__ == "__main__":
    app.run(main)
