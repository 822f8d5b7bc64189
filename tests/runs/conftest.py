import pathlib

import pytest

from tests import helpers
from yolojax import darknet, runs
from yolojax.settings import Settings


@pytest.fixture(scope="session")
def recipe(tmp_path_factory) -> Settings:
    """A run of seconds: the squares, and a network with every layer kind."""
    folder = tmp_path_factory.mktemp("recipe")
    darknet.write_cfg(helpers.small_architecture(), folder / "small.cfg")
    squares = helpers.make_devkit(folder / "squares")
    return Settings().replace(
        model={"cfg": str(folder / "small.cfg"), "anchors": "kmeans"},
        data={"source": f"devkit:{squares}", "dir": str(folder / "tfds"), "threads": 1},
        train={
            "sizes": (32, 48),
            "batch_size": 4,
            "steps": 12,
            "log_every": 3,
            "save_every": 6,
            "learning_rate": 0.01,
        },
        eval={"size": 32, "batch_size": 4, "pictures": 2, "runtime": "none"},
    )


@pytest.fixture(scope="session")
def trained(recipe, tmp_path_factory) -> pathlib.Path:
    """The workdir of a training run."""
    workdir = tmp_path_factory.mktemp("trained") / "run"
    runs.run_training(recipe, workdir)
    return workdir
