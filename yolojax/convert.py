"""A network from Darknet's files or a checkpoint into another format, with a card beside it.

python -m yolojax.convert --model yolov2-voc.weights --cfg yolov2-voc.cfg --to orbax --out checkpoint/
python -m yolojax.convert --model runs/filter40 --to onnx --nms --out small.onnx

onnx, stablehlo and safetensors need `pip install yolojax[export]`.
"""

from absl import flags

from yolojax import cli, export, runs

MODEL = flags.DEFINE_string("model", None, "A checkpoint folder, a run's workdir or a .weights file.", required=True)
CFG = flags.DEFINE_string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = flags.DEFINE_string("names", "", "A file with one class name per line.")
TO = flags.DEFINE_enum("to", "darknet", runs.FORMATS, "What to write.")
OUT = flags.DEFINE_string("out", None, "The file to write, or a folder for orbax.", required=True)
CUTOFF = flags.DEFINE_integer("cutoff", 0, "The .weights file holds this many layers only (a backbone).")
SEED = flags.DEFINE_integer("seed", 0, "Of the layers that a backbone does not hold.")
SIZE = flags.DEFINE_integer("size", 0, "Input size in pixels; 0 for the one in the .cfg.")
NMS = flags.DEFINE_bool("nms", False, "onnx, stablehlo: decode the head and suppress boxes.")
SCORE = flags.DEFINE_float("score_threshold", 0.005, "With --nms: lower scores are no detection.")
IOU = flags.DEFINE_float("nms_iou", 0.45, "With --nms: per-class NMS threshold.")
PLATFORMS = flags.DEFINE_list("platforms", None, "stablehlo: what for, of cpu, cuda, rocm, tpu; cpu,cuda,tpu if unset.")
VALUES = flags.DEFINE_enum(
    "values", "float32", ["float32", "float16", "clustered"], "compressed: how weights are stored."
)
BITS = flags.DEFINE_integer("bits", 5, "compressed, clustered: 2**bits centres for each layer.")


def main(_: list[str]) -> None:
    runs.convert(
        MODEL.value,
        TO.value,
        OUT.value,
        cfg=CFG.value,
        names=NAMES.value,
        cutoff=CUTOFF.value,
        seed=SEED.value,
        size=SIZE.value,
        suppression=export.Suppression(IOU.value, SCORE.value) if NMS.value else None,
        platforms=PLATFORMS.value,
        values=VALUES.value,
        bits=BITS.value,
    )


if __name__ == "__main__":
    cli.run(main)
