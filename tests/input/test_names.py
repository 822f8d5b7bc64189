"""Wrong and hostile `.names` files."""

from tests.input.cases import Good, accepted, refused
from yolojax import darknet, export

FILE = "names"


def read_names(good: Good, content: str | bytes):
    return darknet.read_names(good.write("m.names", content))


@refused("missing", "error: nowhere.names: no such file, expected a file with one class name per line")
def test_missing(good):
    darknet.read_names("nowhere.names")


@refused("empty", "error: …m.names: no class names, expected one per line")
def test_empty(good):
    read_names(good, "\n")


@refused("truncated", "error: 1 class names for a network of 2 classes: blue")
def test_truncated(good):
    good.write("m.names", "blue")
    export.open_model(str(good.folder / "m.weights"))


@refused("too long", "error: …m.names:1: more than 1048576 bytes, expected a file with one class name per line")
def test_too_long(good):
    darknet.read_names(good.long("m.names", 1 << 40))


@refused("another kind of file", "error: …m.names:1: byte 0xff, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_names(good, good.jpeg())


@refused("not UTF-8", "error: …m.names:2: byte 0xe9, expected UTF-8 text")
def test_not_utf8(good):
    read_names(good, "blue\ncafé\n".encode("latin-1"))


@refused(
    "control characters",
    "error: …m.names:2: '\\x1b[2Jred', expected a class name of at most 100 printable characters",
)
def test_control_characters(good):
    read_names(good, "blue\n\x1b[2Jred\n")


@refused(
    "a name of 100,000 characters",
    "error: …m.names:1: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', "
    "expected a class name of at most 100 printable characters",
)
def test_a_name_of_100000_characters(good):
    read_names(good, "x" * 100_000)


@accepted("100,000 names")
def test_a_hundred_thousand_names(good):
    assert len(read_names(good, "\n".join(map(str, range(100_000))))) == 100_000


@refused("a name twice", "error: …m.names:3: 'red' was already on line 1")
def test_a_name_twice(good):
    read_names(good, "red\nblue\nred\n")
