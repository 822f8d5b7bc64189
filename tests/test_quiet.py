from absl import logging

from tests import helpers
from yolojax import data, export, network
from yolojax.quiet import quiet


def test_warnings_of_others_are_left_out_within_the_block(caplog):
    with quiet():
        logging.warning("of no use")
        logging.error("an error")
    logging.warning("after it")
    assert caplog.messages == ["an error", "after it"]


def test_checkpoints_and_data_open_without_a_warning(tmp_path, caplog):
    architecture = helpers.small_architecture(classes=2)
    model = network.Model(architecture, helpers.random_variables(architecture), ("blue", "red"))
    export.save_model(tmp_path / "c", model)
    folder = helpers.make_devkit(tmp_path / "squares")
    caplog.clear()
    export.load_model(tmp_path / "c")
    data.open_dataset(f"devkit:{folder}", "test", data_dir=str(tmp_path / "tfds"))
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == []
