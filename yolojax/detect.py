"""Find objects in images, files and whole folders: python -m yolojax.detect --model model.weights photo.jpg FOLDER"""

from yolojax import cli, runs, runtimes, training

COMMAND = cli.Command(positional=True)
MODEL = COMMAND.string(
    "model",
    None,
    "A run's workdir, a checkpoint folder or a file of a network, .onnx and .xml too.",
    required=True,
)
CFG = COMMAND.string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = COMMAND.string("names", "", "A file with one class name per line.")
OUT = COMMAND.string("out", "detections", "A folder for the pictures and detections.json.")
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for the network's own.")
SCORE = COMMAND.number("score_threshold", 0.25, "Lower scores are not shown.")
NMS = COMMAND.number("nms_iou", 0.45, "Per-class NMS threshold.")
RUNTIME = COMMAND.choice("runtime", "", ["", *runtimes.RUNTIMES], "What runs the network; the fastest by default.")


def main(images: list[str]) -> None:
    program = runtimes.open_program(MODEL.value, cfg=CFG.value, names=NAMES.value, size=SIZE.value)
    protocol = training.Protocol(program.size, SCORE.value, NMS.value)
    runs.detect_files(program, images, OUT.value, protocol, runtime=RUNTIME.value)


if __name__ == "__main__":
    COMMAND.run(main)
