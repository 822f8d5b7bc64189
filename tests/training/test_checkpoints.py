import dataclasses
import shutil

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from tests import helpers
from yolojax import export, network, pruning, training


def trained_state(architecture, masks=None):
    optimizer = training.make_optimizer("sgd", 0.1, momentum=0.9, decay=0.01, masks=masks)
    state = training.create_state(helpers.random_variables(architecture), optimizer, seen=7)
    return dataclasses.replace(jax.device_get(state), step=np.int32(3))


def test_a_state_comes_back_whole_with_its_masks(tmp_path):
    architecture = helpers.small_architecture()
    params = helpers.random_variables(architecture)["params"]
    masks = pruning.weight_masks(architecture, params, 0.5)
    state = trained_state(architecture, masks)
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        assert checkpoints.latest_step is None
        checkpoints.save(state, architecture, ("x",) * 4, data={"next_index": 12})
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        assert checkpoints.latest_step == 3
        restored, extra = checkpoints.restore(trained_state(architecture, masks), architecture)
    assert extra == {"data": {"next_index": 12}}
    for a, b in zip(jax.tree.leaves(restored), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)
    assert export.load_model(tmp_path / "run").seen == 7


def test_another_architecture_is_refused(tmp_path):
    architecture = helpers.small_architecture()
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(trained_state(architecture), architecture, ())
    other = network.for_classes(architecture, 3)
    with (
        training.Checkpoints(tmp_path / "run") as checkpoints,
        pytest.raises(ValueError, match="another architecture"),
    ):
        checkpoints.restore(trained_state(other), other)


def largest_file(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


# After a failed read TensorStore calls back into Orbax's event loop, which is closed by then.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", ["cut", "gone", "garbage"])
@pytest.mark.parametrize("part", ["meta", "state"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_serves(part, damage, tmp_path):
    architecture = helpers.small_architecture()
    state = trained_state(architecture)
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(state, architecture, ())
        checkpoints.save(dataclasses.replace(state, step=np.int32(7)), architecture, ())
    file = largest_file(tmp_path / "run" / "7" / part)
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\xff" * len(content))
    message = r"run/7 is damaged \(.*\); remove that folder to use the checkpoint before it"
    with training.Checkpoints(tmp_path / "run") as checkpoints, pytest.raises(ValueError, match=message):
        checkpoints.restore(state, architecture)
    with pytest.raises(ValueError, match=message):
        export.load_model(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "7")
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        assert checkpoints.restore(state, architecture)[0].step == 3


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    architecture = helpers.small_architecture()
    state = trained_state(architecture)
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(state, architecture, ())
    shutil.copytree(tmp_path / "run" / "3", tmp_path / "run" / "9.orbax-checkpoint-tmp")
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        assert checkpoints.latest_step == 3
    assert export.load_model(tmp_path / "run").architecture == architecture


def test_a_changed_value_is_noticed(tmp_path, monkeypatch):
    architecture = helpers.small_architecture()
    state = trained_state(architecture)
    with training.Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(state, architecture, ())
    real = ocp.CheckpointManager.restore

    def flip(self, step, args=None):
        tree = real(self, step, args=args)
        if tree.get("state"):
            bias = np.array(tree["state"]["params"]["conv_00"]["bias"])
            bias.view(np.int32)[0] ^= 1
            tree["state"]["params"]["conv_00"]["bias"] = bias
        return tree

    monkeypatch.setattr(ocp.CheckpointManager, "restore", flip)
    with pytest.raises(ValueError, match=r"run/3 is damaged \(checksum of .*conv_00.*bias.* is wrong\)"):
        export.load_model(tmp_path / "run")
