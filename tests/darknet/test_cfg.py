import dataclasses
import logging
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolojax import darknet
from yolojax.network import (
    ACTIVATIONS,
    Architecture,
    ArchitectureError,
    Avgpool,
    Convolutional,
    Cost,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Softmax,
)

THIRD_PARTY = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"
PUBLISHED = ("yolov2", "yolov2-voc", "yolov2-tiny", "yolov2-tiny-voc")

TINY = """[net]
height=8
width=16
channels=3
hue=.1

[convolutional]
batch_normalize=1
filters=14
size=3
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[region]
anchors=1,2, 3,.5
classes=2
num=2
softmax=1
bias_match=1
jitter=.2
"""


def test_every_field_of_a_small_network() -> None:
    assert darknet.parse_cfg(TINY) == Architecture(
        Net(height=8, width=16, channels=3, options=(("hue", ".1"),)),
        (
            Convolutional(filters=14, size=3, stride=1, padding=1, batch_normalize=True, activation="leaky"),
            Maxpool(size=2, stride=2, padding=1),
            Region(anchors=((1.0, 2.0), (3.0, 0.5)), classes=2, options=(("jitter", ".2"),)),
        ),
    )


def test_defaults_and_aliases_are_darknets() -> None:
    text = "[network]\nheight=8\nwidth=8\nchannels=1\n[conv]\nactivation=linear\n[max]\nstride=2\n[max]\n[reorg]\n"
    assert darknet.parse_cfg(text).layers == (
        Convolutional(filters=1, size=1, stride=1, padding=0, batch_normalize=False, activation="linear"),
        Maxpool(size=2, stride=2, padding=1),
        Maxpool(size=1, stride=1, padding=0),
        Reorg(stride=1),
    )


@pytest.mark.parametrize(("pad", "padding"), [("pad=1", 2), ("padding=1", 1), ("pad=1\npadding=9", 2), ("pad=0", 0)])
def test_pad_means_half_the_kernel(pad: str, padding: int) -> None:
    text = f"[net]\nheight=8\nwidth=8\nchannels=1\n[convolutional]\nactivation=linear\nsize=5\n{pad}\n"
    (layer,) = darknet.parse_cfg(text).layers
    assert isinstance(layer, Convolutional)
    assert layer.padding == padding


def test_groups() -> None:
    grouped = "[convolutional]\nfilters=14\ngroups=7\nactivation=linear\n\n[region]"
    architecture = darknet.parse_cfg(TINY.replace("[region]", grouped))
    assert architecture.layers[2] == Convolutional(14, groups=7)
    assert architecture.convolutions[1].kernel_shape == (1, 1, 2, 14)
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture
    plain = darknet.parse_cfg(TINY.replace("[region]", grouped.replace("groups=7", "groups=1")))
    assert "groups" not in darknet.format_cfg(plain)


def test_dontload_and_stopbackward(caplog: pytest.LogCaptureFixture) -> None:
    text = TINY.replace("filters=14", "filters=14\ndontload=1").replace(
        "stride=2", "stopbackward=1\ndontload=1\nstride=2"
    )
    with caplog.at_level(logging.WARNING, logger="absl"):
        architecture = darknet.parse_cfg(text)
    assert caplog.records == []
    conv, pool, region = darknet.parse_cfg(TINY).layers
    assert isinstance(conv, Convolutional)
    pool = dataclasses.replace(pool, stopbackward=True, options=(("dontload", "1"),))
    assert architecture.layers == (dataclasses.replace(conv, dontload=True), pool, region)
    assert architecture.frozen == {"conv_00"}
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture


def test_yolov2_voc() -> None:
    architecture = darknet.read_cfg(THIRD_PARTY / "yolov2-voc.cfg")
    assert len(architecture.layers) == 32
    assert architecture.shapes[-1] == (13, 13, 125)
    assert architecture.stride == 32
    assert architecture.head_name == "conv_30"
    assert architecture.layers[25:29] == (
        Route((-9,)),
        Convolutional(64, 1, 1, 0, batch_normalize=True, activation="leaky"),
        Reorg(2),
        Route((-1, -4)),
    )
    assert architecture.region.anchors[0] == (1.3221, 1.73145)
    assert (architecture.region.object_scale, architecture.region.thresh, architecture.region.rescore) == (5, 0.6, True)
    assert dict(architecture.net.options)["steps"] == "40000,60000"
    assert architecture.region.options == (("jitter", ".3"), ("absolute", "1"), ("random", "1"))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_cfgs_come_back_and_raise_no_warning(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="absl"):
        architecture = darknet.read_cfg(THIRD_PARTY / f"{name}.cfg")
    assert caplog.records == []
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture


def test_write_and_read(tmp_path: pathlib.Path) -> None:
    architecture = darknet.parse_cfg(TINY)
    darknet.write_cfg(architecture, tmp_path / "a.cfg")
    assert darknet.read_cfg(tmp_path / "a.cfg") == architecture
    assert b"\r" not in (tmp_path / "a.cfg").read_bytes()


OPTIONS = st.dictionaries(
    st.from_regex(r"opt_[a-z]{1,3}", fullmatch=True), st.from_regex(r"[!-~]{0,5}", fullmatch=True), max_size=2
).map(lambda options: tuple((key, value.translate({35: "", 59: ""})) for key, value in options.items()))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SIDES = st.floats(min_value=1e-300, allow_infinity=False)
CONVOLUTIONS = st.builds(
    Convolutional,
    filters=st.integers(1, 9).map(lambda n: 4 * n),
    size=st.integers(1, 5),
    stride=st.integers(1, 2),
    padding=st.integers(0, 3),
    batch_normalize=st.booleans(),
    activation=st.sampled_from(list(ACTIVATIONS)),
    dontload=st.booleans(),
    stopbackward=st.booleans(),
    options=OPTIONS,
)


@st.composite
def _architectures(draw: st.DrawFn) -> Architecture:
    net = Net(*draw(st.tuples(*[st.integers(1, 8).map(lambda n: 32 * n)] * 2)), draw(st.integers(1, 4)), draw(OPTIONS))
    layers: tuple[Layer, ...] = (draw(CONVOLUTIONS),)
    for index in range(1, draw(st.integers(1, 6))):
        references = st.sampled_from([*range(index), *range(-index, 0)])
        layer = draw(
            CONVOLUTIONS
            | st.builds(lambda size, p, s: Maxpool(size, s, p % size), *[st.integers(1, 3)] * 3)
            | st.builds(Route, st.lists(references, min_size=1, max_size=3).map(tuple), options=OPTIONS)
            | st.builds(Reorg, st.integers(1, 2), options=OPTIONS)
        )
        try:
            Architecture(net, (*layers, layer))
        except ArchitectureError:
            continue
        layers = (*layers, layer)
    return Architecture(net, layers)


@st.composite
def _regions(draw: st.DrawFn) -> Architecture:
    anchors = draw(st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=3).map(tuple))
    classes = draw(st.integers(1, 5))
    region = Region(
        anchors,
        classes,
        *[draw(NUMBERS) for _ in range(5)],
        draw(st.booleans()),
        softmax=draw(st.booleans()),
        options=draw(OPTIONS),
    )
    head = Convolutional(len(anchors) * (5 + classes), stride=2)
    return Architecture(Net(32, 64), (head, region))


@settings(deadline=None, max_examples=60)
@given(_architectures() | _regions())
def test_parse_undoes_format(architecture: Architecture) -> None:
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture


def _changed(old: str, new: str) -> str:
    assert old in TINY
    return TINY.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.cfg:1: no sections, expected [net]"),
        (_changed("[net]", "[maxpool]"), "a.cfg:1: [maxpool], expected [net] first"),
        (
            _changed("[maxpool]", "[local]"),
            "a.cfg:14: unknown section [local], expected one of convolutional, maxpool, route, reorg, region, dropout"
            ", avgpool, softmax, cost",
        ),
        (
            _changed("[maxpool]", "[net]"),
            "a.cfg:14: unknown section [net], expected one of convolutional, maxpool, route, reorg, region, dropout"
            ", avgpool, softmax, cost",
        ),
        ("[net]\nheight=8\nwidth=8\nchannels=3\n", "a.cfg:1: a network needs at least one layer, got none"),
        (_changed("channels=3\n", ""), "a.cfg:1: [net] has no channels, expected channels=..."),
        (_changed("height=8", "height=0"), "a.cfg:1: net height must be positive, got 0"),
        (
            _changed("=leaky", "=mish"),
            f"a.cfg:12: activation=mish, expected one of {', '.join(ACTIVATIONS)}",
        ),
        (_changed("batch_normalize=1", "stopbackward=500"), "a.cfg:8: stopbackward=500, expected 0 or 1"),
        (_changed("batch_normalize=1", "batch_normalize=2"), "a.cfg:8: batch_normalize=2, expected 0 or 1"),
        (_changed("filters=14", "filters=0"), "a.cfg:7: [convolutional] filters must be positive, got 0"),
        (
            _changed("filters=14", "filters=15"),
            "a.cfg:18: [region] 15 channels come in, expected anchors * (5 + classes) = 14",
        ),
        (_changed("softmax=1", "softmax=2"), "a.cfg:22: softmax=2, expected 0 or 1"),
        (_changed("bias_match=1", "bias_match=0"), "a.cfg:23: bias_match=0 is not supported in [region], expected 1"),
        (_changed("jitter=.2", "coords=5"), "a.cfg:24: coords=5 is not supported in [region], expected 4"),
        (_changed("num=2", "num=3"), "a.cfg:19: 4 numbers in anchors, expected 2 * num = 6"),
        (_changed("1,2, 3,.5", "1,2, 3"), "a.cfg:19: 3 numbers in anchors, expected 2 * num = 4"),
        (_changed("1,2, 3,.5", "1,2, 3,x"), "a.cfg:19: anchors=x, expected a finite number"),
        (_changed("1,2, 3,.5", "1,2, 3,0"), "a.cfg:19: an anchor of 0.0, expected positive widths and heights"),
        (_changed("anchors=1,2, 3,.5\n", ""), "a.cfg:18: [region] has no anchors, expected anchors=..."),
        (
            TINY + "[route]\nlayers=-9\n",
            "a.cfg:18: [region] [region] must be the last layer",
        ),
        (
            _changed("[maxpool]\nsize=2\nstride=2", "[route]\nlayers=5"),
            "a.cfg:14: [route] route to layer 5, expected one of the 1 layers before it",
        ),
        (_changed("[maxpool]\nsize=2\nstride=2", "[route]"), "a.cfg:14: [route] has no layers, expected layers=..."),
        (_changed("[maxpool]\nsize=2", "[reorg]"), "a.cfg:14: [reorg] 14 channels do not divide by stride² = 4"),
    ],
)
def test_one_line_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(darknet.CfgError) as error:
        darknet.parse_cfg(text, "a.cfg")
    assert str(error.value) == message


CLASSIFIER = """[net]
height=8
width=16
channels=3

[convolutional]
filters=5
activation=linear

[avgpool]

[softmax]
groups=1

[cost]
type=sse
"""


def test_a_classifier(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="absl"):
        architecture = darknet.parse_cfg(CLASSIFIER.replace("avgpool", "avg").replace("[softmax", "[soft"))
    assert caplog.records == []
    softmax, cost = Softmax(options=(("groups", "1"),)), Cost(options=(("type", "sse"),))
    assert architecture.layers == (Convolutional(5), Avgpool(), softmax, cost)
    assert darknet.parse_cfg(darknet.format_cfg(architecture)) == architecture


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CLASSIFIER.replace("groups=1", "groups=2"), "13: groups=2 is not supported in [softmax], expected 1"),
        (CLASSIFIER.replace("groups=1", "tree=a.tree"), "13: tree is not supported in [softmax], remove it"),
        (CLASSIFIER.replace("[avgpool]", ""), "12: [softmax] a 16x8 map, expected 1x1 as [avgpool] gives"),
        (
            CLASSIFIER.replace("avgpool", "connected"),
            "10: unknown section [connected], expected one of convolutional, maxpool, route, reorg, region, dropout, "
            "avgpool, softmax, cost",
        ),
    ],
)
def test_classifiers_that_are_not_read(text: str, message: str) -> None:
    with pytest.raises(darknet.CfgError) as error:
        darknet.parse_cfg(text, "a.cfg")
    assert str(error.value) == f"a.cfg:{message}"


@pytest.mark.parametrize("section", ["shortcut", "upsample", "yolo"])
def test_a_yolov3_network(section: str) -> None:
    with pytest.raises(darknet.CfgError) as error:
        darknet.parse_cfg(_changed("[maxpool]", f"[{section}]"), "a.cfg")
    assert str(error.value) == f"a.cfg:14: [{section}]: this is a YOLOv3 network; yolojax reads the YOLOv2 family"


def test_the_activation_without_a_word_is_darknets() -> None:
    (layer, *_) = darknet.parse_cfg(_changed("activation=leaky\n", "")).layers
    assert isinstance(layer, Convolutional)
    assert layer.activation == "logistic"


@pytest.mark.parametrize("given", ["softmax=0\n", ""])
def test_logistic_classes_are_darknets_default(given: str) -> None:
    assert darknet.parse_cfg(TINY).region.softmax
    assert not darknet.parse_cfg(_changed("softmax=1\n", given)).region.softmax


def test_a_size_that_is_no_multiple_of_the_stride() -> None:
    # Padded pools take 6 to 3 to 2.
    pools = "[maxpool]\nsize=2\nstride=2\n" * 2
    text = TINY.replace("[maxpool]\nsize=2\nstride=2\n", pools).replace("height=8", "height=6")
    assert [shape.height for shape in darknet.parse_cfg(text).shapes] == [6, 3, 2, 2]


def test_a_size_that_a_reorg_does_not_divide() -> None:
    text = (
        (THIRD_PARTY / "yolov2-voc.cfg")
        .read_text()
        .replace("width=416", "width=430")
        .replace("height=416", "height=400")
    )
    with pytest.raises(darknet.CfgError) as error:
        darknet.parse_cfg(text, "a.cfg")
    message = (
        "[reorg] a 27x25 map does not divide by stride 2; image sizes that do, near 430: 416, 433; near 400: 384, 401"
    )
    assert str(error.value).partition(": ")[2] == message


def test_too_many_layers() -> None:
    with pytest.raises(darknet.CfgError, match=r"^<text>:1005: 1001 layers, expected at most 1000$"):
        darknet.parse_cfg("[net]\nheight=8\nwidth=8\nchannels=3\n" + "[reorg]\n" * 1001)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[net]\nbatch=1\n# \xff\nhue=\xe9", ":4: byte 0xe9, expected UTF-8 text"),
        (b"\x00" * (2**20 + 1), ":1: more than 1048576 bytes, expected a .cfg"),
    ],
)
def test_files_that_are_no_text(tmp_path: pathlib.Path, data: bytes, message: str) -> None:
    (tmp_path / "a.cfg").write_bytes(data)
    with pytest.raises(darknet.CfgError) as error:
        darknet.read_cfg(tmp_path / "a.cfg")
    assert str(error.value) == f"{tmp_path / 'a.cfg'}{message}"


@pytest.mark.parametrize(
    "option",
    [("filters", "3"), ("padding", "1"), ("a b", "1"), ("a", "#"), ("a=", ""), ("[a", ""), ("a", "\n"), ("", "")],
)
def test_options_that_a_cfg_cannot_hold(option: tuple[str, str]) -> None:
    architecture = Architecture(Net(8, 8), (Convolutional(1, options=(option,)),))
    with pytest.raises(ValueError, match=r"of \[convolutional\] (is a field|cannot be written)"):
        darknet.format_cfg(architecture)
