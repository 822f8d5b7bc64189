"""The two tables and the figures of the study: python -m yolojax.study --config configs/study_shapes.py"""

from absl import flags
from ml_collections import config_flags

from yolojax import cli, studies

CONFIG = config_flags.DEFINE_config_file("config", "configs/study_voc.py", "The study; --config.NAME=VALUE overrides.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where results go; runs/<config's name> by default.")
ROWS = flags.DEFINE_list("rows", [], "Only these rows, as in filter40,weight80,sensitivity-filter; default all.")


def main(_: list[str]) -> None:
    studies.run_study(CONFIG.value, cli.workdir(WORKDIR.value), rows=ROWS.value)


if __name__ == "__main__":
    cli.run(main)
