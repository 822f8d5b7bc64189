"""Wrong and hostile `.cfg` files."""

import os

from tests.input.cases import Good, accepted, cfg_text, convolution, refused
from yolojax import darknet

FILE = "cfg"


def read_cfg(good: Good, content: str | bytes):
    return darknet.read_cfg(good.write("m.cfg", content))


@refused("empty", "error: …m.cfg:1: no sections, expected [net]")
def test_empty(good):
    read_cfg(good, "")


@refused("truncated", "error: …m.cfg:12: 'activ', expected [section] or option=value")
def test_truncated(good):
    text = good.text("m.cfg")
    read_cfg(good, text[: text.index("activ") + 5])


@refused("too long", "error: …m.cfg:1: more than 1048576 bytes, expected a .cfg")
def test_too_long(good):
    darknet.read_cfg(good.long("m.cfg", 1 << 40))


@refused("another kind of file", "error: …m.cfg:1: byte 0x8c, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_cfg(good, good.bytes("m.weights"))


@accepted("a comment that is not UTF-8", "comments may be in any encoding")
def test_a_comment_that_is_not_utf8(good):
    assert read_cfg(good, "# café\n".encode("latin-1") + good.bytes("m.cfg") + "seed=1 ; café".encode("latin-1"))


@refused("not UTF-8", "error: …m.cfg:2: byte 0xe9, expected UTF-8 text")
def test_not_utf8(good):
    read_cfg(good, "# café\ncafé=1\n".encode("latin-1") + good.bytes("m.cfg"))


@refused("a YOLOv3 network", "error: …m.cfg:5: [upsample]: this is a YOLOv3 network; yolojax reads the YOLOv2 family")
def test_a_yolov3_network(good):
    read_cfg(good, cfg_text("[upsample]\nstride=2"))


@refused("a folder", "error: …:1: a folder, expected a .cfg")
def test_a_folder(good):
    darknet.read_cfg(good.folder)


@refused("a pipe", "error: …pipe:1: not a regular file, expected a .cfg")
def test_a_pipe(good):
    os.mkfifo(good.folder / "pipe")
    darknet.read_cfg(good.folder / "pipe")


@refused("a million layers", "error: …m.cfg:1: more than 1048576 bytes, expected a .cfg")
def test_a_million_layers(good):
    read_cfg(good, cfg_text("[reorg]\n" * 1_000_000))


@refused("as many layers as fit", "error: …m.cfg:1005: 130000 layers, expected at most 1000")
def test_as_many_layers_as_fit(good):
    read_cfg(good, cfg_text("[reorg]\n" * 130_000))


@refused("10^12 filters", "error: …m.cfg:6: filters=1000000000000, expected an integer of at most 2147483647")
def test_a_trillion_filters(good):
    read_cfg(good, cfg_text(convolution(10**12, 1, 1)))


@refused(
    "2^31 - 1 filters",
    "error: …m.cfg:5: [convolutional] 2199023254528 values in this layer's map, expected at most 268435456",
)
def test_as_many_filters_as_an_int32_holds(good):
    read_cfg(good, cfg_text(convolution(2**31 - 1, 1, 1)))


@refused(
    "many layers of many filters",
    "error: …m.cfg:11: [convolutional] 3600540000 parameters up to this layer, expected at most 1000000000",
)
def test_many_layers_of_many_filters(good):
    read_cfg(good, cfg_text(*[convolution(20_000, 3, 1)] * 3, net="width=8\nheight=8\nchannels=3"))


@refused("a negative size", "error: …m.cfg:5: [convolutional] size must be positive, got -3")
def test_a_negative_size(good):
    read_cfg(good, cfg_text(convolution(8, -3, 1)))


@refused(
    "an input of 10^10 pixels",
    "error: …m.cfg:1: [net] of 100000x100000 pixels and 3 channels, expected at most 268435456 values",
)
def test_an_input_of_ten_billion_pixels(good):
    read_cfg(good, cfg_text(convolution(8, 3, 1), net="width=100000\nheight=100000\nchannels=3"))


@refused(
    "a pool over 10^5 pixels a side",
    "error: …m.cfg:5: [maxpool] 5191680000000000 comparisons in this layer, expected at most 10000000000000",
)
def test_a_pool_over_100000_pixels_a_side(good):
    read_cfg(good, cfg_text("[maxpool]\nsize=100000\nstride=1", net="width=416\nheight=416\nchannels=3"))


@refused(
    "strides that multiply without end",
    "error: …m.cfg:1: strides that multiply to more than 65536, expected fewer or smaller ones",
)
def test_strides_that_multiply_without_end(good):
    read_cfg(good, cfg_text(*[convolution(1, 1, 2**31 - 1)] * 900))


@refused(
    "routes that double the channels",
    "error: …m.cfg:47: [route] 536870912 values in this layer's map, expected at most 268435456",
)
def test_routes_that_double_the_channels(good):
    read_cfg(good, cfg_text(convolution(1, 1, 1), *["[route]\nlayers=-1,-1"] * 900))


@refused("10^6 classes", "error: …m.cfg:11: [region] 1000000 classes, expected at most 100000")
def test_a_million_classes(good):
    region = "[region]\nanchors=1,1\nnum=1\nclasses=1000000\nsoftmax=1\nbias_match=1"
    read_cfg(good, cfg_text(convolution(1000005, 1, 32), region))


@refused("NaN for a number", "error: …m.cfg:84: anchors=nan, expected a finite number")
def test_nan_for_a_number(good):
    read_cfg(good, good.text("m.cfg").replace("anchors=0.6", "anchors=nan"))


@refused("infinity for a number", "error: …m.cfg:95: thresh=1e999, expected a finite number")
def test_infinity_for_a_number(good):
    read_cfg(good, good.text("m.cfg").replace("thresh=0.6", "thresh=1e999"))


@refused("an option twice, with two values", "error: …m.cfg:56: filters=5, but it was 4 on line 55")
def test_an_option_twice_with_two_values(good):
    read_cfg(good, good.text("m.cfg").replace("filters=4\n", "filters=4\nfilters=5\n"))


@accepted("an option twice, with one value", "as Darknet reads it")
def test_an_option_twice_with_one_value(good):
    assert read_cfg(good, good.text("m.cfg").replace("filters=4\n", "filters=4\nfilters=4\n"))


@refused(
    "a line of a million characters",
    "error: …m.cfg:2: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...', expected [section] or option=value",
)
def test_a_line_of_a_million_characters(good):
    read_cfg(good, "[net]\n" + "x" * 1_000_000)
