import pytest

from tests import helpers
from yolojax import data


@pytest.fixture(scope="session")
def squares(tmp_path_factory):
    """The devkit folder of 10 images of red and blue squares, opened as a data set."""
    folder = helpers.make_devkit(tmp_path_factory.mktemp("devkit") / "squares")
    return data.open_dataset(f"devkit:{folder}", "train", data_dir=str(tmp_path_factory.mktemp("tfds")))
