"""Prune a network, retrain it, and report: python -m yolojax.prune --config configs/filter40.py"""

from yolojax import cli, runs, settings

COMMAND = cli.Command()
CONFIG = COMMAND.config("configs/filter40.py")


def main(_: list[str]) -> None:
    runs.run_pruning(settings.read(CONFIG.value), COMMAND.workdir)


if __name__ == "__main__":
    COMMAND.run(main)
