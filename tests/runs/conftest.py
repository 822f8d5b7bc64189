import pathlib

import pytest

from configs import base
from tests import helpers
from yolojax import darknet, runs


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """A run of seconds: the squares, and a network with every layer kind."""
    folder = tmp_path_factory.mktemp("experiment")
    config = base.get_config()
    config.data = f"devkit:{helpers.make_devkit(folder / 'squares')}"
    config.data_dir = str(folder / "tfds")
    config.cfg = str(folder / "small.cfg")
    darknet.write_cfg(helpers.small_architecture(), config.cfg)
    config.size = 32
    config.sizes = (32, 48)
    config.batch_size = config.eval_batch_size = 4
    config.steps = 12
    config.log_every = 3
    config.save_every = 6
    config.pictures = 2
    config.learning_rate = 0.01
    config.anchors = "kmeans"
    config.threads = 1
    return config


@pytest.fixture(scope="session")
def trained(config, tmp_path_factory) -> pathlib.Path:
    """The workdir of a training run."""
    workdir = tmp_path_factory.mktemp("trained") / "run"
    runs.run_training(config, workdir)
    return workdir
