"""Darknet files to an Orbax checkpoint and back.

python -m yolojax.convert --model yolov2-voc.weights --cfg yolov2-voc.cfg --to orbax --out checkpoint/
"""

from absl import flags

from yolojax import experiments
from yolojax.experiments import command

MODEL = flags.DEFINE_string("model", "", "A checkpoint folder, a run's workdir or a .weights file.")
CFG = flags.DEFINE_string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = flags.DEFINE_string("names", "", "A file with one class name per line.")
TO = flags.DEFINE_enum("to", "darknet", ["darknet", "orbax"], "What to write.")
OUT = flags.DEFINE_string("out", None, "A .weights file, or a folder for orbax.", required=True)
CUTOFF = flags.DEFINE_integer("cutoff", 0, "The .weights file holds this many layers only (a backbone).")
SEED = flags.DEFINE_integer("seed", 0, "Of the layers that a backbone does not hold.")


def main(_: list[str]) -> None:
    experiments.convert(
        MODEL.value, TO.value, OUT.value, cfg=CFG.value, names=NAMES.value, cutoff=CUTOFF.value, seed=SEED.value
    )


if __name__ == "__main__":
    command.run(main)
