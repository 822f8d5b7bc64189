"""Prune a network, retrain it, and report: python -m yolojax.prune --config configs/filter40.py"""

from absl import flags
from ml_collections import config_flags

from yolojax import cli, runs

CONFIG = config_flags.DEFINE_config_file("config", "configs/filter40.py", "The run; --config.NAME=VALUE overrides.")
WORKDIR = flags.DEFINE_string("workdir", None, "Where results go; runs/<config's name> by default.")


def main(_: list[str]) -> None:
    runs.run_pruning(CONFIG.value, cli.workdir(WORKDIR.value))


if __name__ == "__main__":
    cli.run(main)
