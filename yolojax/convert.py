"""A network from Darknet's files or a checkpoint into another format, with a card beside it.

python -m yolojax.convert --model yolov2-voc.weights --cfg yolov2-voc.cfg --to orbax --out checkpoint/
python -m yolojax.convert --model runs/filter40 --to onnx --nms --out small.onnx

onnx, stablehlo and safetensors need `pip install yolojax[export]`.
"""

from yolojax import cli, export, runs

COMMAND = cli.Command()
MODEL = COMMAND.string("model", None, "A checkpoint folder, a run's workdir or a .weights file.", required=True)
CFG = COMMAND.string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = COMMAND.string("names", "", "A file with one class name per line.")
TO = COMMAND.choice("to", "darknet", runs.FORMATS, "What to write.")
OUT = COMMAND.string("out", None, "The file to write, or a folder for orbax.", required=True)
CUTOFF = COMMAND.integer("cutoff", 0, "The .weights file holds this many layers only (a backbone).")
SEED = COMMAND.integer("seed", 0, "Of the layers that a backbone does not hold.")
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for the one in the .cfg.")
NMS = COMMAND.boolean("nms", False, "onnx, stablehlo: decode the head and suppress boxes.")
SCORE = COMMAND.number("score_threshold", 0.005, "With --nms: lower scores are no detection.")
IOU = COMMAND.number("nms_iou", 0.45, "With --nms: per-class NMS threshold.")
PLATFORMS = COMMAND.strings("platforms", None, "stablehlo: what for, of cpu, cuda, rocm, tpu; cpu,cuda,tpu if unset.")
VALUES = COMMAND.choice("values", "float32", ["float32", "float16", "clustered"], "compressed: how weights are stored.")
BITS = COMMAND.integer("bits", 5, "compressed, clustered: 2**bits centres for each layer.")


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
    COMMAND.run(main)
