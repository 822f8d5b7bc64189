"""Wrong and hostile data.yaml files of YOLO data sets."""

from tests.input.cases import Good, accepted, refused
from yolojax import data
from yolojax.data.yolo_yaml import read_data_yaml

FILE = "data.yaml"
SPLITS = "train: devkit/JPEGImages\n"


def read_yaml(good: Good, content: str | bytes):
    return read_data_yaml(good.write("data.yaml", content))


def open_yaml(good: Good, content: str):
    spec = f"yolo:{good.write('data.yaml', content)}"
    return data.open_dataset(spec, "train", data_dir=str(good.folder / "tfds"))


@refused(
    "missing", "error: …data.yaml: no such file or folder, expected a folder with images/ and labels/, or a data.yaml"
)
def test_missing(good):
    data.open_dataset(f"yolo:{good.folder / 'data.yaml'}", "train")


@refused("empty", "error: …data.yaml: no fields in it, expected a data.yaml")
def test_empty(good):
    read_yaml(good, "")


@refused("truncated", "error: …data.yaml: not YAML (…), expected a data.yaml")
def test_truncated(good):
    read_yaml(good, SPLITS + "names: [red, ")


@refused("too long", "error: …data.yaml:1: more than 262144 bytes, expected a data.yaml")
def test_too_long(good):
    read_data_yaml(good.long("data.yaml", 1 << 40))


@refused("another kind of file", "error: …data.yaml:1: byte 0xff, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_yaml(good, good.jpeg())


@refused("nested 100,000 deep", "error: …data.yaml: not YAML (…), expected a data.yaml")
def test_nested(good):
    read_yaml(good, "names: " + "[" * 100_000)


@refused("an object of Python", "error: …data.yaml: not YAML (…), expected a data.yaml")
def test_an_object_of_python(good):
    read_yaml(good, "names: !!python/object/apply:os.system ['true']")


@refused("aliases that expand themselves", "error: …data.yaml: names has …, expected text; write it in quotes")
def test_aliases(good):
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 5)]
    read_yaml(good, "\n".join([*lines, "names: *a4"]))


@refused("another number of names than nc", "error: …data.yaml: nc is 3, and there are 2 names")
def test_another_number(good):
    read_yaml(good, SPLITS + "nc: 3\nnames: [blue, red]")


@refused("a name twice", "error: …data.yaml: a class comes twice in names")
def test_a_name_twice(good):
    read_yaml(good, SPLITS + "names: [red, red]")


@refused(
    "a name that YAML takes for a truth value",
    "error: …data.yaml: names has 'False', expected text; write it in quotes",
)
def test_a_truth_value(good):
    read_yaml(good, SPLITS + "names: [no]")


@refused("names with gaps", "error: …data.yaml: names have other keys than 0..1")
def test_gaps(good):
    read_yaml(good, SPLITS + "names: {0: red, 2: blue}")


@refused("a folder that is missing", "error: …data.yaml: …nowhere is no folder of images and no list of them")
def test_a_missing_folder(good):
    open_yaml(good, "train: nowhere\nnames: [red]")


@refused(
    "a list of other files", "error: …list.txt:1: '/etc/passwd', expected the path of a .jpg or .jpeg or .png file"
)
def test_a_list_of_other_files(good):
    good.write("list.txt", "/etc/passwd\n")
    open_yaml(good, "train: list.txt\nnames: [red]")


@accepted("names as a mapping", "the class of each index")
def test_a_mapping(good):
    assert read_yaml(good, SPLITS + "names: {0: red, 1: 7}").names == ("red", "7")
