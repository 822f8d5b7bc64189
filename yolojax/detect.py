"""Find objects in image files: python -m yolojax.detect --model model.weights photo.jpg"""

from yolojax import cli, export, runs, training

COMMAND = cli.Command()
MODEL = COMMAND.string("model", None, "A checkpoint folder, a run's workdir or a file of a network.", required=True)
CFG = COMMAND.string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = COMMAND.string("names", "", "A file with one class name per line.")
OUT = COMMAND.string("out", "detections", "A folder for the pictures and detections.json.")
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for the network's own.")
SCORE = COMMAND.number("score_threshold", 0.25, "Lower scores are not shown.")
NMS = COMMAND.number("nms_iou", 0.45, "Per-class NMS threshold.")


def main(images: list[str]) -> None:
    model = export.open_model(MODEL.value, cfg=CFG.value, names=NAMES.value)
    protocol = training.Protocol(SIZE.value, SCORE.value, NMS.value)
    runs.detect_files(model, images, OUT.value, protocol)


if __name__ == "__main__":
    COMMAND.run(main, positional=True)
