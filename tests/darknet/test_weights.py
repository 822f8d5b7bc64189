import dataclasses
import pathlib
import struct

import chex
import jax
import numpy as np
import pytest

from yolojax import darknet
from yolojax.network import Architecture, Convolutional, Maxpool, Net, check_variables, variable_shapes

THIRD_PARTY = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"
NET = Net(height=4, width=4, channels=2)
TWO = Architecture(
    NET,
    (
        Convolutional(filters=3, size=3, padding=1, batch_normalize=True, activation="leaky"),
        Maxpool(2, 2, 1),
        Convolutional(filters=1),
    ),
)
# 3 biases, scales, means, variances and 3*2*3*3 kernel values; then 1 bias and 3 kernel values.
FIRST, SECOND = 4 * (4 * 3 + 54), 4 * (1 + 3)


def _random(architecture: Architecture) -> dict:
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda shape: rng.standard_normal(shape, np.float32),
        variable_shapes(architecture),
        is_leaf=lambda node: isinstance(node, tuple),
    )


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "a.weights"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (struct.pack("<iiii", 0, 1, 5, 7), darknet.Header(0, 1, 5, 7)),
        (struct.pack("<iiiq", 0, 2, 0, 2**40), darknet.Header(0, 2, 0, 2**40)),
        (struct.pack("<iiiq", 1, 0, 0, 3), darknet.Header(1, 0, 0, 3)),
    ],
)
def test_header(path: pathlib.Path, data: bytes, header: darknet.Header) -> None:
    path.write_bytes(data)
    assert darknet.read_header(path) == header
    assert header.size == len(data)


def test_order_of_the_file(path: pathlib.Path) -> None:
    values = np.arange((FIRST + SECOND) // 4, dtype="<f4")
    path.write_bytes(struct.pack("<iiii", 0, 1, 0, 0) + values.tobytes())
    variables = darknet.read_weights(TWO, path)
    check_variables(TWO, variables)
    first = variables["params"]["conv_00"]
    np.testing.assert_array_equal(first["bias"], [0, 1, 2])
    np.testing.assert_array_equal(first["scale"], [3, 4, 5])
    np.testing.assert_array_equal(variables["batch_stats"]["conv_00"]["mean"], [6, 7, 8])
    np.testing.assert_array_equal(variables["batch_stats"]["conv_00"]["var"], [9, 10, 11])
    for h, w, i, o in np.ndindex(3, 3, 2, 3):
        assert first["kernel"][h, w, i, o] == 12 + w + 3 * (h + 3 * (i + 2 * o))
    np.testing.assert_array_equal(variables["params"]["conv_02"]["bias"], [66])
    np.testing.assert_array_equal(variables["params"]["conv_02"]["kernel"].ravel(), [67, 68, 69])
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


def test_order_of_a_kernel_with_groups(path: pathlib.Path) -> None:
    """As `nweights` of Darknet's make_convolutional_layer: c / groups * n * size * size."""
    architecture = Architecture(Net(4, 4, 4), (Convolutional(6, size=3, padding=1, groups=2),))
    values = np.arange(6 + 6 * 2 * 3 * 3, dtype="<f4")
    path.write_bytes(struct.pack("<iiii", 0, 1, 0, 0) + values.tobytes())
    kernel = darknet.read_weights(architecture, path)["params"]["conv_00"]["kernel"]
    assert kernel.shape == (3, 3, 2, 6)
    for h, w, i, o in np.ndindex(kernel.shape):
        assert kernel[h, w, i, o] == 6 + w + 3 * (h + 3 * (i + 2 * o))


@pytest.mark.parametrize(("header", "size"), [("int32", 16), ("int64", 20)])
def test_round_trip_is_byte_identical(path: pathlib.Path, header: str, size: int) -> None:
    payload = np.random.default_rng(0).standard_normal((FIRST + SECOND) // 4, np.float32).tobytes()
    kind = "<iiii" if header == "int32" else "<iiiq"
    path.write_bytes(struct.pack(kind, 0, 1 if header == "int32" else 2, 0, 1234) + payload)
    variables = darknet.read_weights(TWO, path)
    again = path.with_name("b.weights")
    darknet.write_weights(TWO, variables, again, seen=1234, header=header)
    assert again.read_bytes() == path.read_bytes()
    assert again.stat().st_size == size + FIRST + SECOND
    assert list(path.parent.iterdir()) in ([path, again], [again, path])


def test_writes_jax_arrays(path: pathlib.Path) -> None:
    variables = _random(TWO)
    darknet.write_weights(TWO, jax.tree.map(jax.numpy.asarray, variables), path)
    chex.assert_trees_all_equal(darknet.read_weights(TWO, path), variables)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("yolov2", 203_934_260),
        ("yolov2-voc", 202_704_260),
        ("yolov2-tiny", 44_948_596),
        ("yolov2-tiny-voc", 63_471_556),
    ],
)
@pytest.mark.parametrize(("minor", "more"), [(1, 0), (2, 4)])
def test_exact_sizes_of_the_published_files(path: pathlib.Path, name: str, size: int, minor: int, more: int) -> None:
    architecture = darknet.read_cfg(THIRD_PARTY / f"{name}.cfg")
    header = struct.pack("<iii", 0, minor, 0)
    # A sparse file of that many zeros, one byte off in either direction; the message has the size that fits.
    for off in (-1, 1):
        with open(path, "wb") as file:
            file.write(header)
            file.truncate(size + more + off)
        with pytest.raises(darknet.WeightsError, match=f"{size + more + off} bytes, expected {size + more}: "):
            darknet.read_weights(architecture, path)


def test_learned_parameters_of_yolov2_voc() -> None:
    shapes = variable_shapes(darknet.read_cfg(THIRD_PARTY / "yolov2-voc.cfg"))["params"]
    assert sum(np.prod(shape) for leaves in shapes.values() for shape in leaves.values()) == 50_655_389
    assert sum(np.prod(leaves["kernel"]) for leaves in shapes.values()) == 50_634_592


def _unread(architecture: Architecture, *indices: int) -> Architecture:
    layers = list(architecture.layers)
    for index in indices:
        layers[index] = dataclasses.replace(layers[index], dontload=True)  # type: ignore[call-arg]
    return dataclasses.replace(architecture, layers=tuple(layers))


@pytest.mark.parametrize(("unread", "left"), [(0, "conv_02"), (2, "conv_00")])
def test_what_dontload_names_is_not_in_the_file(path: pathlib.Path, unread: int, left: str) -> None:
    """As in Darknet no byte stands for it: the file is one without that layer."""
    variables, payload = _random(TWO), {}
    for name, start, end in (("conv_00", 0, FIRST), ("conv_02", FIRST, FIRST + SECOND)):
        darknet.write_weights(TWO, variables, path)
        payload[name] = path.read_bytes()[20:][start:end]
    path.write_bytes(path.read_bytes()[:20] + payload[left])
    found = darknet.read_weights(_unread(TWO, unread), path)
    assert found["params"].keys() == {left}
    chex.assert_trees_all_equal(found["params"][left], variables["params"][left])


def test_a_file_goes_on_with_the_head_that_is_not_read(path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """The use of dontload: the first layers of a network of other classes."""
    other = dataclasses.replace(TWO, layers=(*TWO.layers[:2], Convolutional(filters=8)))
    variables = _random(other)
    darknet.write_weights(other, variables, path)
    with caplog.at_level("INFO", logger="absl"):
        found = darknet.read_weights(_unread(TWO, 2), path)
    chex.assert_trees_all_equal(found["params"]["conv_00"], variables["params"]["conv_00"])
    assert f"read up to conv_00; {4 * 8 * 4} of its" in caplog.text


def test_a_file_of_all_layers_although_one_in_between_is_not_read(path: pathlib.Path) -> None:
    darknet.write_weights(TWO, _random(TWO), path)
    with pytest.raises(darknet.WeightsError, match="bytes, as many as with conv_00, which dontload=1 leaves out"):
        darknet.read_weights(_unread(TWO, 0), path)
    assert darknet.read_weights(_unread(TWO, 2), path)["params"].keys() == {"conv_00"}


def test_cutoff_reads_and_writes_the_first_layers(path: pathlib.Path) -> None:
    variables = _random(TWO)
    darknet.write_weights(TWO, variables, path, cutoff=2)
    assert path.stat().st_size == 20 + FIRST
    backbone = darknet.read_weights(TWO, path, cutoff=2)
    assert (list(backbone["params"]), list(backbone["batch_stats"])) == (["conv_00"], ["conv_00"])
    chex.assert_trees_all_equal(backbone["params"]["conv_00"], variables["params"]["conv_00"])
    with pytest.raises(darknet.WeightsError, match=r"it ends in conv_02 \(bias\)$"):
        darknet.read_weights(TWO, path)


def test_size_of_darknet19_448_conv_23(path: pathlib.Path) -> None:
    architecture = darknet.read_cfg(THIRD_PARTY / "yolov2-voc.cfg")
    path.write_bytes(struct.pack("<iiii", 0, 1, 0, 0))
    with pytest.raises(darknet.WeightsError, match=r": 16 bytes, expected 79327120: it ends in conv_00 \(bias\)$"):
        darknet.read_weights(architecture, path, cutoff=23)


@pytest.mark.parametrize("cutoff", [0, -1, 4])
def test_cutoff_out_of_range(path: pathlib.Path, cutoff: int) -> None:
    with pytest.raises(ValueError, match=rf"^cutoff={cutoff}, expected 1\.\.3, the number of layers to keep$"):
        darknet.read_weights(TWO, path, cutoff=cutoff)


HEAD = struct.pack("<iiii", 0, 1, 0, 0)
WHOLE = 16 + FIRST + SECOND


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes, expected a .weights header of 16 or 20 bytes"),
        (HEAD[:15], "15 bytes, expected a .weights header of 16 or 20 bytes"),
        (struct.pack("<iiii", 0, 2, 0, 0), "16 bytes, expected a .weights header of 20 bytes"),
        (HEAD, f"16 bytes, expected {WHOLE}: it ends in conv_00 (bias)"),
        (HEAD + bytes(FIRST - 1), f"{15 + FIRST} bytes, expected {WHOLE}: it ends in conv_00 (kernel)"),
        (HEAD + bytes(FIRST + 7), f"{23 + FIRST} bytes, expected {WHOLE}: it ends in conv_02 (kernel)"),
        (HEAD + bytes(FIRST + SECOND + 3), f"{WHOLE + 3} bytes, expected {WHOLE}: 3 are left after conv_02"),
        (
            struct.pack("<4i", 1000, 1, 2, 0) + bytes(FIRST + SECOND),
            "version 1000.1.2 in the header, expected 0.1 or 0.2: not a .weights file",
        ),
        (
            struct.pack("<4i", 0, -1, 0, 0) + bytes(FIRST + SECOND),
            "version 0.-1.0 in the header, expected 0.1 or 0.2: not a .weights file",
        ),
        (
            HEAD + bytes(12) + struct.pack("<fff", 1, np.nan, -np.inf) + bytes(FIRST + SECOND - 24),
            "2 of 3 values are not finite in conv_00 (scale)",
        ),
    ],
)
def test_bad_files(path: pathlib.Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(darknet.WeightsError) as error:
        darknet.read_weights(TWO, path)
    assert str(error.value) == f"{path}: {message}"


def test_huge_layers_are_refused_by_their_size_alone(path: pathlib.Path) -> None:
    path.write_bytes(HEAD)
    layer = Convolutional(filters=2**31 - 1, size=9, padding=4)
    with pytest.raises(darknet.WeightsError, match=r": 16 bytes, expected \d{22}: it ends in conv_00 \(bias\)$"):
        darknet.read_weights(Architecture(NET, (layer, layer)), path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": "int16"}, "header='int16', expected 'int64' or 'int32'"),
        ({"seen": -1}, f"seen=-1, expected 0..{2**63 - 1} for an int64 header"),
        ({"seen": 2**31, "header": "int32"}, f"seen={2**31}, expected 0..{2**31 - 1} for an int32 header"),
        ({"cutoff": 9}, "cutoff=9, expected 1..3, the number of layers to keep"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")  # the header is a Literal
def test_bad_arguments_leave_no_file(path: pathlib.Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole message is compared
        darknet.write_weights(TWO, _random(TWO), path, **options)
    assert str(error.value) == message
    assert list(path.parent.iterdir()) == []


def test_variables_that_do_not_fit_or_are_not_finite_leave_the_old_file(path: pathlib.Path) -> None:
    path.write_bytes(b"old")
    variables = _random(TWO)
    wider = dataclasses.replace(TWO, layers=(*TWO.layers[:2], Convolutional(filters=2)))
    with pytest.raises(ValueError, match=r"params/conv_02/bias: \(1,\), expected \(2,\)"):
        darknet.write_weights(wider, variables, path)
    variables["params"]["conv_02"]["kernel"][0, 0, 1, 0] = np.inf
    with pytest.raises(darknet.WeightsError, match=r"1 of 3 values are not finite in conv_02 \(kernel\)$"):
        darknet.write_weights(TWO, variables, path)
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
