"""VOC mAP of a network on a data set, or of any detector's devkit files.

python -m yolojax.evaluate --model model.weights --data voc2007
python -m yolojax.evaluate --detections results/ --devkit VOCdevkit/VOC2007
"""

import pathlib

from absl import flags

from yolojax import cli, data, runs, runtimes, training

COMMAND = cli.Command()
MODEL = COMMAND.string("model", "", "A run's workdir, a checkpoint folder or a file of a network, .onnx and .xml too.")
CFG = COMMAND.string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = COMMAND.string("names", "", "A file with one class name per line.")
DATA = COMMAND.string("data", "voc2007", f"{data.describe_sources()}.")
DATA_DIR = COMMAND.string("data_dir", "", "Where TFDS keeps prepared data.")
SPLIT = COMMAND.string("split", "test", "train, validation (or val), trainval or test.")
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for the network's own.")
BATCH_SIZE = COMMAND.integer("batch_size", 16, "Images per step over all devices.")
SCORE = COMMAND.number("score_threshold", 0.005, "Scores below this do not count.")
NMS = COMMAND.number("nms_iou", 0.45, "Per-class NMS threshold.")
DETECTIONS = COMMAND.string("detections", "", "A folder of devkit files, *_CLASS.txt, in place of --model.")
DEVKIT = COMMAND.string("devkit", "", "The devkit folder that --detections is measured against.")
SAVE = COMMAND.string("save_detections", "", "A folder for the model's detections as devkit files.")
JSON = COMMAND.string("json", "", "A file for the result.")
RUNTIME = COMMAND.choice("runtime", "", ["", *runtimes.RUNTIMES], "What runs the network; JAX by default.")
OF_MODEL = (RUNTIME, MODEL, CFG, DATA, DATA_DIR, SIZE, BATCH_SIZE, SCORE, NMS, SAVE)


def main(_: list[str]) -> None:
    if JSON.value and not pathlib.Path(JSON.value).absolute().parent.is_dir():
        raise ValueError(f"--json {JSON.value}: no such folder; make it first")
    if DETECTIONS.value or DEVKIT.value:
        require(DETECTIONS, DEVKIT)
        if given := [flag.name for flag in OF_MODEL if flag.present]:
            raise ValueError(f"--{given[0]} goes with --model, not with --detections")
        result = runs.evaluate_detections(DETECTIONS.value, DEVKIT.value, SPLIT.value, runs.read_names(NAMES.value))
    else:
        require(MODEL)
        program = runtimes.open_program(MODEL.value, cfg=CFG.value, names=NAMES.value, size=SIZE.value)
        protocol = training.Protocol(program.size, SCORE.value, NMS.value)
        result = runs.evaluate_program(
            program,
            DATA.value,
            SPLIT.value,
            protocol,
            data_dir=DATA_DIR.value,
            batch_size=BATCH_SIZE.value,
            save_detections=SAVE.value,
            runtime=RUNTIME.value,
        )
    runs.show(result, JSON.value)


def require(*needed: flags.FlagHolder[str]) -> None:
    """Raises ValueError where one of these flags has no value."""
    for flag in needed:
        if not flag.value:
            raise ValueError(f"--{flag.name} is missing; see --help")


if __name__ == "__main__":
    COMMAND.run(main)
