import base64
import tracemalloc

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.export.test_container import header_of, sealed
from yolojax import network
from yolojax.export import compressed
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Region

REGION = Region(((1.0, 1.5),), 2)


def architecture_of(filters=3, size=3) -> Architecture:
    body = Convolutional(filters, size, padding=size // 2, batch_normalize=True, activation="leaky")
    return Architecture(Net(8, 8), (body, Maxpool(2, 2, 1), Convolutional(7), REGION))


def variables_of(architecture, density=0.3, seed=0):
    """Random bits in vectors, and kernels with this many weights that are not zero."""
    rng = np.random.default_rng(seed)

    def leaf(path, shape):
        if path[-1].key == "kernel":
            return np.where(rng.random(shape) < density, rng.normal(0, 1, shape), 0).astype(np.float32)
        return rng.integers(0, 2**32, shape, np.uint32).view(np.float32)

    shapes = network.variable_shapes(architecture)
    return jax.tree_util.tree_map_with_path(leaf, shapes, is_leaf=lambda node: isinstance(node, tuple))


def assert_same_bits(found, expected):
    def same(a, b):
        assert a.dtype == np.float32
        np.testing.assert_array_equal(a.view(np.uint32), np.asarray(b).view(np.uint32))

    jax.tree.map(same, found, expected)


@pytest.fixture
def small(tmp_path):
    """A pair, and the path of its file."""
    architecture = architecture_of()
    variables = variables_of(architecture)
    path = tmp_path / "n.yolojax"
    compressed.write_compressed(path, architecture, variables)
    return architecture, variables, path


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9), st.sampled_from([1, 2, 3, 5]), st.sampled_from([0.0, 0.05, 0.5, 1.0]), st.integers(0, 2**32 - 1)
)
def test_float32_there_and_back_to_the_bit(tmp_path_factory, filters, size, density, seed):
    architecture = architecture_of(filters, size)
    variables = variables_of(architecture, density, seed)
    path = tmp_path_factory.mktemp("n") / "n.yolojax"
    compressed.write_compressed(path, architecture, variables, names=("a", "b"), seen=seed, notes={"mAP": 0.25})
    found, arrays, info = compressed.read_compressed(path)
    assert found == architecture
    assert_same_bits(arrays, variables)
    kernels = [variables["params"][conv.name]["kernel"] for conv in architecture.convolutions]
    assert info.nonzeros == tuple(np.count_nonzero(kernel) for kernel in kernels)
    assert (info.values, info.names, info.seen, info.notes) == ("float32", ("a", "b"), seed, {"mAP": 0.25})


@pytest.mark.parametrize("values", ["float16", "clustered"])
def test_lossy_values_are_near_and_vectors_exact(tmp_path, values):
    architecture = architecture_of()
    variables = variables_of(architecture, 0.95)
    compressed.write_compressed(tmp_path / "lossy", architecture, variables, values=values, bits=4)
    _, arrays, info = compressed.read_compressed(tmp_path / "lossy")
    assert info.values == values
    for name, layer in variables["params"].items():
        kernel, found = layer.pop("kernel"), arrays["params"][name].pop("kernel")
        np.testing.assert_array_equal(found == 0, kernel == 0)
        assert 0 < np.abs(found - kernel).max() < {"float16": 2e-3, "clustered": 0.5}[values]
    assert_same_bits(arrays, variables)


def test_jax_arrays_and_other_strides_are_written_alike(small):
    architecture, variables, _ = small
    size = compressed.compressed_bytes(architecture, variables)
    assert compressed.compressed_bytes(architecture, jax.tree.map(np.asfortranarray, variables)) == size
    kernels = {name: {**layer, "bias": layer["bias"] * 0} for name, layer in variables["params"].items()}
    on_device = jax.tree.map(jax.numpy.asarray, {**variables, "params": kernels})
    assert compressed.compressed_bytes(architecture, on_device) == size


@pytest.mark.parametrize("values", ["float32", "float16", "clustered"])
def test_compressed_bytes_are_the_files(small, tmp_path, values):
    architecture, variables, _ = small
    compressed.write_compressed(tmp_path / "n", architecture, variables, values=values, bits=6)
    expected = (tmp_path / "n").stat().st_size
    assert compressed.compressed_bytes(architecture, variables, values=values, bits=6) == expected


def test_damaged_and_cut_files_are_refused(small):
    """At every seventh byte; `test_container` has them all, without writing a file for each."""
    *_, path = small
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        for wrong in (bytes(damaged), data[:position]):
            path.write_bytes(wrong)
            with pytest.raises(ValueError, match=r"n\.yolojax: .*(expected|damaged)"):
                compressed.read_compressed(path)


def rewritten(path, stream=None, **changes):
    """The file with another header or stream, its checksum right."""
    data = path.read_bytes()
    (size,) = np.frombuffer(data[48:52], "<u4")
    path.write_bytes(sealed(header_of(data) | changes, data[52 + size :] if stream is None else stream))


def refused(path, message, **arguments) -> int:
    """The peak of memory, in bytes, until the file was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            compressed.read_compressed(path, **arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return peak


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (10**12, r"n\.yolojax:\d+: "),  # more than an integer of a cfg
        (2**31 - 1, r"n\.yolojax:\d+: .*expected at most"),
        (10**6, r"n\.yolojax: its network takes \d+ bytes, expected at most max_bytes=1073741824; pass more"),
        (10**5, r"n\.yolojax: \d+ bytes of weights, expected at least \d+ as its header says"),
    ],
)
def test_a_cfg_that_asks_for_too_much_takes_no_memory(small, filters, message):
    *_, path = small
    cfg = header_of(path.read_bytes())["cfg"].replace("filters=3", f"filters={filters}").replace("size=3", "size=11")
    rewritten(path, cfg=cfg)
    assert refused(path, message) < 1e6


def test_decoding_takes_at_most_five_times_the_arrays(tmp_path):
    architecture = Architecture(Net(8, 8, 64), (Convolutional(500, 3, padding=1),))
    variables = variables_of(architecture, 1.0)
    compressed.write_compressed(tmp_path / "n", architecture, variables)
    tracemalloc.start()
    _, arrays, _ = compressed.read_compressed(tmp_path / "n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * sum(leaf.nbytes for leaf in jax.tree.leaves(arrays))


def test_a_file_beyond_max_bytes_is_not_read(tmp_path):
    path = tmp_path / "n.yolojax"
    with open(path, "wb") as file:
        file.truncate(20 << 20)  # a hole
    assert refused(path, r"20971520 bytes, expected at most \d+; pass more max_bytes", max_bytes=1 << 20) < 1e5
    with pytest.raises(ValueError, match="a folder, expected a compressed network"):
        compressed.read_compressed(tmp_path)
    with pytest.raises(FileNotFoundError):
        compressed.read_compressed(tmp_path / "none")


def test_max_bytes_is_of_the_decoded_arrays(small):
    architecture, variables, path = small
    size = 4 * sum(leaf.size for leaf in jax.tree.leaves(variables))
    assert compressed.read_compressed(path, max_bytes=size)[0] == architecture
    refused(path, f"its network takes {size} bytes, expected at most max_bytes={size - 1}", max_bytes=size - 1)


@pytest.mark.parametrize(
    ("nonzeros", "message"),
    [
        ([30], "1 kernels, expected 2 as in its cfg"),
        ([82, 1], r"82 weights in conv_00, expected 0\.\.81 as in its cfg"),
        ([10, -1], r"-1 weights in conv_02, expected 0\.\.21"),
        ([81, 0], r"conv_00 \(kernel\): \d+ weights are not zero, expected 81 as in the header"),
        ([10**30, 1], r"10{30} weights in conv_00"),
    ],
)
def test_counts_that_do_not_fit_are_refused(small, nonzeros, message):
    *_, path = small
    rewritten(path, nonzeros=nonzeros)
    refused(path, message)


def test_streams_that_do_not_fit_are_refused(small):
    *_, path = small
    data = path.read_bytes()
    (size,) = np.frombuffer(data[48:52], "<u4")
    stream = data[52 + size :]
    for wrong, message in [
        (stream + bytes(40), r"n\.yolojax: the coded weights continue after the last one; expected a compressed"),
        (stream[:-1], r"n\.yolojax: \d+ bytes of coded weights, expected a multiple of 4"),
        (b"", r"n\.yolojax: 0 bytes of weights, expected at least"),
    ]:
        rewritten(path, stream=wrong)
        refused(path, message)


def arrays_or_error(path):
    try:
        return compressed.read_compressed(path)[1]
    except ValueError as error:
        return str(error)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float16", "clustered"]))
def test_any_stream_is_a_network_or_a_value_error(tmp_path_factory, seed, values):
    path = tmp_path_factory.mktemp("n") / "n.yolojax"
    architecture = architecture_of()
    compressed.write_compressed(path, architecture, variables_of(architecture), values=values)
    (size,) = np.frombuffer(path.read_bytes()[48:52], "<u4")
    rng, stream = np.random.default_rng(seed), bytearray(path.read_bytes()[52 + size :])
    for position in rng.integers(0, len(stream), 3):
        stream[position] = rng.integers(256)
    rewritten(path, stream=bytes(stream))
    found = arrays_or_error(path)
    if isinstance(found, str):
        assert found.startswith(f"{path}: ")
    else:
        network.check_variables(architecture, found)


def test_large_kernels_of_zeros_are_small_files(tmp_path):
    architecture = architecture_of(2000)
    variables = jax.tree.map(np.zeros_like, variables_of(architecture, 0.0))
    compressed.write_compressed(tmp_path / "n", architecture, variables)
    assert_same_bits(compressed.read_compressed(tmp_path / "n")[1], variables)
    vectors = 4 * (4 * 2000 + 7)
    assert (tmp_path / "n").stat().st_size < vectors + 2000 + 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": "int8"}, "values='int8', expected one of float32, float16, clustered"),
        ({"values": "clustered", "bits": 9}, r"bits=9, expected 1\.\.8"),
        ({"values": "clustered", "bits": 0}, r"bits=0, expected 1\.\.8"),
        ({"names": ("a", "b", "c")}, "3 names, expected 2"),
        ({"seen": -1}, "seen=-1"),
        ({"notes": {"a": [1]}}, "a note 'a' of another kind"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")  # a note may be of any kind
def test_arguments_that_do_not_fit_leave_no_file(tmp_path, arguments, message):
    architecture = architecture_of()
    with pytest.raises(ValueError, match=message):
        compressed.write_compressed(tmp_path / "n", architecture, variables_of(architecture), **arguments)
    assert not list(tmp_path.iterdir())


def test_variables_that_do_not_fit_are_refused():
    architecture = architecture_of()
    with pytest.raises(ValueError, match="variables do not fit the architecture"):
        compressed.compressed_bytes(architecture, variables_of(architecture_of(4)))
    variables = variables_of(architecture, 1.0)
    variables["params"]["conv_02"]["kernel"][0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"conv_02 \(kernel\): 1 of 21 weights are not finite"):
        compressed.compressed_bytes(architecture, variables, values="clustered")


def test_without_the_coder_the_message_says_what_to_install(small, monkeypatch):
    architecture, variables, path = small
    monkeypatch.setattr("yolojax.export.optional.importlib.import_module", _absent)
    for call in (
        lambda: compressed.read_compressed(path),
        lambda: compressed.compressed_bytes(architecture, variables),
    ):
        with pytest.raises(ValueError, match=r"^the package constriction is not installed; pip install"):
            call()


def _absent(name):
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_the_interface_has_an_example_that_runs(small, monkeypatch):
    architecture, _, path = small
    monkeypatch.chdir(path.parent)
    interface = compressed.compressed_interface("float16")
    assert "float16" in interface.kind
    values = {}
    exec(
        interface.example.format(file=path.name, stem=path.stem).replace("yolojax.export", compressed.__name__), values
    )
    assert values["architecture"] == architecture


def golden_variables(architecture):
    """Arrays that no random generator makes."""

    def leaf(path, shape):
        numbers = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        return np.where(numbers % 3 == 0, numbers / 8 - 5, np.float32(0))

    shapes = network.variable_shapes(architecture)
    return jax.tree_util.tree_map_with_path(leaf, shapes, is_leaf=lambda node: isinstance(node, tuple))


@pytest.mark.parametrize("values", ["float32", "float16", "clustered"])
def test_files_of_version_1_stay_readable(tmp_path, values):
    """Written once; a coder that computes other probabilities would not read them."""
    (tmp_path / "n").write_bytes(base64.b85decode(GOLDEN[values]))
    architecture, arrays, info = compressed.read_compressed(tmp_path / "n")
    assert architecture == architecture_of()
    assert info.values == values
    assert_same_bits(arrays, golden_variables(architecture))


GOLDEN = {
    "float32": (
        "d2eiQYGHT*U;_XE00000!&vqz`R7N}>oY-I+3^NYGl!ooc~b2rhNKDx5`LB#00IC2dm>|IXCgWvB3o`{bX{C-cWGpFXgxSwZfIp`XJ~XiI9z"
        "UHXkl({Wo&ajGhA+5Zd+q-Zgy{Mb#!TOZeeU)TyA1vbYo~=Zf|mJVQgu7Wj!%mZf0q0bY*gLJu_Txb7^{IJu_Txb98cPWMw@uTyAh-WIZulZ"
        "ee3|X?9_BX>V>lY-M3<d0cK>Zd+|(cyMoTY+YP#b7^{IJu+Nwb98cPWMw@vTy9)$TVro-c5iHTbZKvHVQgJoZen3{V`yJ)Z*py6Y-xIBJuqB"
        "uW@&76WpZ;pH(YLWX?kTnF<fqQbaH8AWj!%mZg62_JuzHvVPkY@c42gBZ*DzoX>Mg<a$Ig)Zd-C?XK8P4U0iNqZewU~a&tW~EFdv1HC%3DX<"
        ">6;ZDDj{Xgx7pZewg=b8}^LJu+NwV{dPAWOF?<TyAc4Z9OquZgX#DbZudHJuzHva%FR4Z*pZlFkEh9Z*OvBUvpz&Y-K$$TyAe-YGq?|Uvpz&"
        "Y-K$$TyAb}Z(?d?V{~70V_|G%JuzHvV{Bn_b6;~~VQghRF<fqRXmVw9Xgx44HC%2YEFdCwVQh6}b0Rt*B4%uFVRSPxA}k;xZeeX@b0Rt*TU{"
        "(5B6DSBZX!A$Ff1S<Zf|aSWpZzGB03;jGB+$BH(e|sB5rSVWpg4rAbWj%|No!B0AN4=00000KmVV=0001B00000KmVV=0001B00000KmVV=0"
        "001B00000egFUd>YJGt0000?0000000000O#ib0000000000000000|FZx9O#ib?00000|FZx9O#ib?v$OyJ002x&OiQ!0OtZ8A08Fz0vj9x"
        "9OtSz?wEzA9{s2t>Al}pE8pz;XT#?9hWJX4^&v_Y<fEWOX7ytkO0001h004j(000000000000000000000000000000fEWM(7ytkO0001h00"
        "4j(0l*{x-Xs8s0001>094#0+9Ut~000080000000000KO6u6KR-V|&3HyXzP4h90Qvy`0RI350RI60d~gN-!)HGbkt8!o0001)GXMYp0000W"
    ),
    "float16": (
        "d2eiQYGHT*C<6ch00000pOv4we#MleU<7#lt8Pi=*EX(E6G@bt8>s+28x4zx00IC2dm>|IXCgWvB3o`{bX{C-cWGpFXgxSwZfIp`XJ~XiI9z"
        "UHXkl({Wo&ajGhA+5Zd+q-Zgy{Mb#!TOZeeU)TyA1vbYo~=Zf|mJVQgu7Wj!%mZf0q0bY*gLJu_Txb7^{IJu_Txb98cPWMw@uTyAh-WIZulZ"
        "ee3|X?9_BX>V>lY-M3<d0cK>Zd+|(cyMoTY+YP#b7^{IJu+Nwb98cPWMw@vTy9)$TVro-c5iHTbZKvHVQgJoZen3{V`yJ)Z*py6Y-xIBJuqB"
        "uW@&76WpZ;pH(YLWX?kTnF<fqQbaH8AWj!%mZg62_JuzHvVPkY@c42gBZ*DzoX>Mg<a$Ig)Zd-C?XK8P4U0iNqZewU~a&tW~EFdv1HC%3DX<"
        ">6;ZDDj{Xgx7pZewg=b8}^LJu+NwV{dPAWOF?<TyAc4Z9OquZgX#DbZudHJuzHva%FR4Z*pZlFkEh9Z*OvBUvpz&Y-K$$TyAe-YGq?|Uvpz&"
        "Y-K$$TyAb}Z(?d?V{~70V_|G%JuzHvV{Bn_b6;~~VQghRF<fqRXmVw9Xgx44HC%2YEFdCwVQh6}b0Rt*B4%uFVRSJzA}k;xZeeX@b0Rt*TU{"
        "(5B6DSBZX!A$Ff1S<Zf|aSWpZzGB03;jGB+$BH(e|sB5rSVWpg4rAbWj%|No!B0AN4=00000KmVV=0001B00000KmVV=0001B00000KmVV=0"
        "001B00000VgLXBlR6B=00000000000000008IZZ000000000000000O#dtZ08IZZ00000O#dtZ08IZZODrt_EdT&a08C3Pc}pxUEO|>TODuU"
        "yc}pyLcr7?TF+X`rUyHcdL(xo1vfdJKXVon>4}3*I008hX000004+8)I@i06L(U{971ONbl05FJ{K9~dm0002s0000000000nS}!YnVFfHX*"
        "7VE{MlwXCjj3#2Kfg02l)p18jXb<`EAnA001y%"
    ),
    "clustered": (
        "d2eiQYGHT*QUd@000000&OOyWx(g*k&M*&18iB@bt-^#7ndrGW35CzJGQ2NY0s;U4dm>|IXCgWvB3o`{bX{C-cWGpFXgxSwZfIp`XJ~XiI9z"
        "UHXkl({Wo&ajGhA+5Zd+q-Zgy{Mb#!TOZeeU)TyA1vbYo~=Zf|mJVQgu7Wj!%mZf0q0bY*gLJu_Txb7^{IJu_Txb98cPWMw@uTyAh-WIZulZ"
        "ee3|X?9_BX>V>lY-M3<d0cK>Zd+|(cyMoTY+YP#b7^{IJu+Nwb98cPWMw@vTy9)$TVro-c5iHTbZKvHVQgJoZen3{V`yJ)Z*py6Y-xIBJuqB"
        "uW@&76WpZ;pH(YLWX?kTnF<fqQbaH8AWj!%mZg62_JuzHvVPkY@c42gBZ*DzoX>Mg<a$Ig)Zd-C?XK8P4U0iNqZewU~a&tW~EFdv1HC%3DX<"
        ">6;ZDDj{Xgx7pZewg=b8}^LJu+NwV{dPAWOF?<TyAc4Z9OquZgX#DbZudHJuzHva%FR4Z*pZlFkEh9Z*OvBUvpz&Y-K$$TyAe-YGq?|Uvpz&"
        "Y-K$$TyAb}Z(?d?V{~70V_|G%JuzHvV{Bn_b6;~~VQghRF<fqRXmVw9Xgx44HC%2YEFdCwVQh6}b0Rt*B4ccIb97~LWn>~OAR=yIZDn&JIv`"
        "tJEFdCtWo2$6Iv_ACAR=yWZhB>MZ*w9#AX_pwEFd>sEFdCoZ**mIB03;@eSQD`pTGcMKmPy#002M#pTGbB0AK(B002M#pTGbB0AK(B002M#p"
        "TGbB0AK(B000~R|Nis;g~0Fs^Z)1n=l|#b=l{?D=l{R|&;S4apZ}l$fPgRnU;ropFaQ_;7yuXm7yt|a7yxL$3jhEB0000000000000000000"
        "000000000000000000000000000000000000000000089w8UX+Q|NsC0|NsC0|NsC0|NsC0|NsC0|Nrq}0RN(5-}D_?P1SI0Kzz#hRy>nTx!"
        "VAIh-X<|lK=n!02lxO00000004gVZ~%UOetvAjVw)rmx+8r4y-&89nLGeM#rOaK00000000000095Pi~#@t|NnA;BJK"
    ),
}
