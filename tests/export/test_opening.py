import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import export

NAMES = ("circle", "square", "star", "cross")


@pytest.fixture
def files(tmp_path):
    helpers.save_network(tmp_path, helpers.small_architecture(), seen=9)
    return tmp_path


def test_weights_with_the_cfg_and_names_beside(files):
    (files / "m.names").write_text("\n".join(NAMES))
    model = export.open_model(str(files / "m.weights"))
    assert model.architecture == helpers.small_architecture()
    assert (model.names, model.seen) == (NAMES, 9)


def test_a_checkpoint_folder(files):
    model = export.open_model(str(files / "m.weights"))
    export.save_model(files / "checkpoint", model)
    again = export.open_model(str(files / "checkpoint"))
    np.testing.assert_array_equal(again.params["conv_00"]["kernel"], model.params["conv_00"]["kernel"])


def test_the_workdir_of_a_run_that_trained_nothing(files):
    run = files / "run"
    run.mkdir()
    for suffix in (".cfg", ".weights"):
        (files / "m").with_suffix(suffix).rename((run / "model").with_suffix(suffix))
    (run / "model.names").write_text("\n".join(NAMES))
    model = export.open_model(run)
    assert (model.architecture, model.names) == (helpers.small_architecture(), NAMES)
    # A config names a .cfg by default, which is another network's.
    assert export.open_model(run, cfg="third_party/darknet/yolov2-voc.cfg").architecture == model.architecture


@pytest.mark.parametrize("name", ["orbax", "safetensors", "compressed"])
def test_whatever_can_be_read_opens_as_the_same_network(name, files):
    if name == "compressed":
        pytest.importorskip("constriction")
    (files / "m.names").write_text("\n".join(NAMES))
    model = export.open_model(files / "m.weights")
    entry = export.FORMATS[name]
    written = entry.write(files / f"again.{name}", model, export.Facts(names=NAMES), entry.options())
    again = export.open_model(written)
    assert (again.architecture, again.names, again.seen) == (model.architecture, NAMES, 9)
    jax.tree.map(np.testing.assert_array_equal, again.variables, model.variables)


@pytest.mark.parametrize(("file", "what"), [("m.onnx", "an ONNX file"), ("m.stablehlo", "a StableHLO file")])
def test_an_output_is_told_from_what_can_be_opened(file, what, files):
    (files / file).write_bytes(b"\x08\x08")
    message = (
        f"{file} is {what}, which is an output: expected a .weights file, a checkpoint folder, a safetensors file or "
        "a compressed file"
    )
    with pytest.raises(ValueError, match=message):
        export.open_model(files / file)


def test_a_weights_file_may_have_any_name(files):
    (files / "m.weights").rename(files / "m.backup")
    assert export.open_model(files / "m.backup").seen == 9


def test_names_beside_a_file_serve_where_it_tells_none(files):
    model = export.open_model(files / "m.weights")
    export.write_safetensors(model.architecture, model.variables, files / "s.safetensors")
    assert export.open_model(files / "s.safetensors").names == ()
    (files / "s.names").write_text("\n".join(NAMES))
    assert export.open_model(files / "s.safetensors").names == NAMES


def test_what_is_missing_is_named(files):
    with pytest.raises(ValueError, match=r"nowhere.weights: no such file or folder"):
        export.open_model(str(files / "nowhere.weights"))
    with pytest.raises(ValueError, match=r"m.cfg has the layers and no weights, expected the .weights file"):
        export.open_model(files / "m.cfg")
    (files / "m.cfg").rename(files / "other.cfg")
    with pytest.raises(ValueError, match=r"m.cfg: no such file; a .weights file needs its .cfg"):
        export.open_model(str(files / "m.weights"))
    (files / "three.names").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match="3 class names for a network of 4 classes"):
        export.open_model(str(files / "m.weights"), cfg=str(files / "other.cfg"), names=str(files / "three.names"))
