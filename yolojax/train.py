"""Train a network: python -m yolojax.train --config configs/shapes_train.py"""

from yolojax import cli, runs, settings

COMMAND = cli.Command()
CONFIG = COMMAND.config("configs/base.py")


def main(_: list[str]) -> None:
    runs.run_training(settings.read(CONFIG.value), COMMAND.workdir)


if __name__ == "__main__":
    COMMAND.run(main)
