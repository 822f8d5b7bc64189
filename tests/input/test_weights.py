"""Wrong and hostile `.weights` files."""

import struct

import numpy as np

from tests.input.cases import Good, cfg_text, convolution, refused
from yolojax import export

FILE = "weights"


def open_weights(good: Good, content: str | bytes | None = None):
    if content is not None:
        good.write("m.weights", content)
    return export.open_model(str(good.folder / "m.weights"))


def with_first_bias(content: bytes, value: float) -> bytes:
    return content[:20] + struct.pack("<f", value) + content[24:]


@refused(
    "empty",
    "error: …m.weights: 0 bytes, expected a .weights header of 16 or 20 bytes; "
    "get the file again, or the .cfg that belongs to it",
)
def test_empty(good):
    open_weights(good, b"")


@refused(
    "truncated",
    "error: …m.weights: … bytes, expected …: it ends in conv_12 (kernel); "
    "get the file again, or the .cfg that belongs to it",
)
def test_truncated(good):
    open_weights(good, good.bytes("m.weights")[:-5])


@refused(
    "too long",
    "error: …m.weights: … bytes, expected …: … are left after conv_12; "
    "get the file again, or the .cfg that belongs to it",
)
def test_too_long(good):
    good.long("m.weights", 1 << 40)
    open_weights(good)


@refused(
    "of all layers, one of which `dontload=1` says is not in it",
    "error: …m.weights: … bytes, as many as with conv_02, which dontload=1 leaves out: remove that option; "
    "get the file again, or the .cfg that belongs to it",
)
def test_of_all_layers_although_one_is_not_loaded(good):
    first, second, rest = good.text("m.cfg").split("[convolutional]", 2)
    good.write("m.cfg", f"{first}[convolutional]{second}[convolutional]\ndontload=1{rest}")
    open_weights(good)


@refused(
    "of another network",
    "error: …m.weights: … bytes, expected …: it ends in conv_11 (kernel); "
    "get the file again, or the .cfg that belongs to it",
)
def test_of_another_network(good):
    good.write("m.cfg", good.text("m.cfg").replace("filters=4\n", "filters=8\n"))
    open_weights(good)


@refused(
    "another kind of file",
    "error: …m.weights: version … in the header, expected 0.1 or 0.2: not a .weights file; "
    "get the file again, or the .cfg that belongs to it",
)
def test_another_kind_of_file(good):
    open_weights(good, "<html>404 Not Found</html>" * 100)


@refused("a folder", "error: …m.weights: holds no checkpoint; expected a folder with one folder per step")
def test_a_folder(good):
    (good.folder / "m.weights").unlink()
    (good.folder / "m.weights").mkdir()
    open_weights(good)


@refused("without its .cfg", "error: …m.cfg: no such file; a .weights file needs its .cfg")
def test_without_its_cfg(good):
    (good.folder / "m.cfg").unlink()
    open_weights(good)


@refused(
    "NaN",
    "error: …m.weights: 1 of 8 values are not finite in conv_00 (bias); "
    "get the file again, or the .cfg that belongs to it",
)
def test_nan(good):
    open_weights(good, with_first_bias(good.bytes("m.weights"), np.nan))


@refused(
    "infinity",
    "error: …m.weights: 1 of 8 values are not finite in conv_00 (bias); "
    "get the file again, or the .cfg that belongs to it",
)
def test_infinity(good):
    open_weights(good, with_first_bias(good.bytes("m.weights"), np.inf))


@refused(
    "a negative variance",
    "error: …m.weights: 1 of 8 values are negative or not finite in conv_00 (var); "
    "use an earlier file or checkpoint of that network",
)
def test_a_negative_variance(good):
    content = good.bytes("m.weights")
    at = 20 + 3 * 8 * 4  # after bias, scale and mean of eight filters
    open_weights(good, content[:at] + struct.pack("<f", -1.0) + content[at + 4 :])


@refused(
    "-5 images seen",
    "error: …m.weights: -5 images seen in the header, expected 0 or more: not a .weights file; "
    "get the file again, or the .cfg that belongs to it",
)
def test_a_negative_count_of_images_seen(good):
    content = good.bytes("m.weights")
    open_weights(good, content[:12] + struct.pack("<q", -5) + content[20:])


@refused(
    "a .cfg that asks for 1.8 GB",
    "error: …m.weights: … bytes, expected …: it ends in conv_00 (bias); "
    "get the file again, or the .cfg that belongs to it",
)
def test_a_cfg_that_asks_for_1_8_gb(good):
    good.write("m.cfg", cfg_text(convolution(15_000, 1, 8), convolution(30_000, 1, 1)))
    open_weights(good)
