"""A network from Darknet's files or a checkpoint into another format, with a card beside it.

python -m yolojax.convert --model yolov2-voc.weights --cfg yolov2-voc.cfg --to orbax --out checkpoint/
python -m yolojax.convert --model runs/filter40 --to onnx --nms --out small.onnx

onnx, stablehlo and safetensors need `pip install yolojax[export]`.
"""

from absl import flags

from yolojax import cli, export, runs

MODEL = flags.DEFINE_string(
    "model", None, "A checkpoint folder, a run's workdir or a file of a network.", required=True
)
CFG = flags.DEFINE_string("cfg", "", "The .cfg of a .weights file; beside it by default.")
NAMES = flags.DEFINE_string("names", "", "A file with one class name per line.")
TO = flags.DEFINE_enum("to", "darknet", list(export.FORMATS), "What to write.")
OUT = flags.DEFINE_string("out", None, "The file to write, or a folder for orbax.", required=True)
SIZE = flags.DEFINE_integer("size", 0, "Input size in pixels; 0 for the one in the .cfg.")


OPTIONS = export.format_options()


def _define(option: export.Option) -> None:
    """The flag of a format's option, of the kind that its default has."""
    text = f"{', '.join(option.formats)}: {option.help}"
    match option.default:
        case str() if option.choices:
            flags.DEFINE_enum(option.name, option.default, option.choices, text)
        case str():
            flags.DEFINE_string(option.name, option.default, text)
        case bool():
            flags.DEFINE_bool(option.name, option.default, text)
        case int():
            flags.DEFINE_integer(option.name, option.default, text)
        case float():
            flags.DEFINE_float(option.name, option.default, text)
        case _:
            flags.DEFINE_list(option.name, list(option.default), text)


for _option in OPTIONS.values():
    _define(_option)


def main(_: list[str]) -> None:
    options = {name: getattr(flags.FLAGS, name) for name in OPTIONS}
    runs.convert(MODEL.value, TO.value, OUT.value, cfg=CFG.value, names=NAMES.value, size=SIZE.value, **options)


if __name__ == "__main__":
    cli.run(main)
