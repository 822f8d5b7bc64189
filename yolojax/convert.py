"""A network from Darknet's files or a checkpoint into another format, with a card beside it.

python -m yolojax.convert --model yolov2-voc.weights --cfg yolov2-voc.cfg --to orbax --out checkpoint/
python -m yolojax.convert --model runs/filter40 --to onnx --nms --out small.onnx
python -m yolojax.convert --model runs/filter40 --against yolov2-voc.weights --to web --out page/

onnx, web, stablehlo and safetensors need `pip install yolojax[export]`.
"""

from yolojax import cli, export, runs

COMMAND = cli.Command()
MODEL = COMMAND.string("model", None, "A checkpoint folder, a run's workdir or a file of a network.", required=True)
CFG = COMMAND.string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = COMMAND.string("names", "", "A file with one class name per line.")
TO = COMMAND.choice("to", "darknet", list(export.FORMATS), "What to write.")
OUT = COMMAND.string("out", None, "The file to write, or a folder for orbax and web.", required=True)
SIZE = COMMAND.integer("size", 0, "Input size in pixels; 0 for the one in the .cfg.")


def define(option: export.Option) -> cli.Holder:
    """The flag of a format's option, of the kind that its default has."""
    text = f"{', '.join(option.formats)}: {option.help}"
    match option.default:
        case str() if option.choices:
            return COMMAND.choice(option.name, option.default, option.choices, text)
        case str():
            return COMMAND.string(option.name, option.default, text)
        case bool():
            return COMMAND.boolean(option.name, option.default, text)
        case int():
            return COMMAND.integer(option.name, option.default, text)
        case float():
            return COMMAND.number(option.name, option.default, text)
        case _:
            return COMMAND.strings(option.name, list(option.default), text)


OPTIONS = {option.name: define(option) for option in export.format_options().values()}


def main(_: list[str]) -> None:
    options = {name: flag.value for name, flag in OPTIONS.items()}
    runs.convert(MODEL.value, TO.value, OUT.value, cfg=CFG.value, names=NAMES.value, size=SIZE.value, **options)


if __name__ == "__main__":
    COMMAND.run(main)
