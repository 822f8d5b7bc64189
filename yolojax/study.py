"""Prune one network in many ways, and report on all: python -m yolojax.study --config configs/study_shapes.py"""

from yolojax import cli, settings, studies

COMMAND = cli.Command()
CONFIG = COMMAND.config("configs/study_voc.py")
ROWS = COMMAND.strings(
    "rows", [], "Only these rows, as in filter40,weight80,sensitivity-filter; default: all of study.*."
)


def main(_: list[str]) -> None:
    studies.run_study(settings.read(CONFIG.value), COMMAND.workdir, rows=ROWS.value)


if __name__ == "__main__":
    COMMAND.run(main)
