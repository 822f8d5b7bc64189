"""Wrong and hostile annotations of a devkit."""

from tests.input.cases import NAMES, Good, accepted, refused
from yolojax import data

FILE = "annotation"
OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
SIZE = "<size><width>{}</width><height>60</height></size>"
ENTITIES = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha" * 50}">' for i in range(12))


def read_devkit(good: Good):
    return data.read_annotations(good.folder / "devkit", "test", NAMES)


def read_xml(good: Good, content: str | bytes):
    good.write("devkit/Annotations/000001.xml", content)
    return read_devkit(good)


def annotation(*objects: str, width: str = "60") -> str:
    return f"<annotation>{SIZE.format(width)}{''.join(objects)}</annotation>"


@refused("missing", "error: …/000001.xml: no such file, but test lists 000001")
def test_missing(good):
    (good.folder / "devkit/Annotations/000001.xml").unlink()
    read_devkit(good)


@refused("empty", "error: …/000001.xml: …, expected a devkit annotation in XML")
def test_empty(good):
    read_xml(good, "")


@refused("truncated", "error: …/000001.xml: …, expected a devkit annotation in XML")
def test_truncated(good):
    read_xml(good, annotation(OBJECT.format("red", 1))[:-20])


@refused("too long", "error: …/000001.xml: more than 1048576 bytes, expected a devkit annotation")
def test_too_long(good):
    good.long("devkit/Annotations/000001.xml", 1 << 40)
    read_devkit(good)


@refused("another kind of file", "error: …/000001.xml: …, expected a devkit annotation in XML")
def test_another_kind_of_file(good):
    read_xml(good, good.jpeg())


@refused("other XML", "error: …/000001.xml: <svg>, expected <annotation>")
def test_other_xml(good):
    read_xml(good, "<svg/>")


@refused("not UTF-8, without saying so", "error: …/000001.xml: …, expected a devkit annotation in XML")
def test_an_encoding_that_it_does_not_declare(good):
    read_xml(good, annotation(OBJECT.format("café", 1)).encode("latin-1"))


@refused("entities that expand themselves", "error: …/000001.xml: has a DOCTYPE, expected a devkit annotation in XML")
def test_entities_that_expand_themselves(good):
    read_xml(good, f"<!DOCTYPE annotation [{ENTITIES}]>" + annotation(OBJECT.format("&e11;", 1)))


@refused("an entity that reads a file", "error: …/000001.xml: has a DOCTYPE, expected a devkit annotation in XML")
def test_an_entity_that_reads_a_file(good):
    entity = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    read_xml(good, entity + annotation(OBJECT.format("&x;", 1)))


@refused("nested 100,000 deep", "error: …/000001.xml: …, expected a devkit annotation in XML")
def test_nested_100000_deep(good):
    read_xml(good, "<a>" * 100_000)


@accepted("nested 100,000 deep, and closed", "what is not of the devkit is passed over")
def test_nested_100000_deep_and_closed(good):
    deep = "<a>" * 100_000 + "</a>" * 100_000
    assert read_xml(good, annotation(OBJECT.format("red", 1), deep))[1].objects.labels.tolist() == [1]


@refused("NaN for a number", "error: …/000001.xml: <bndbox/xmin> is 'nan', expected a number")
def test_nan_for_a_number(good):
    read_xml(good, annotation(OBJECT.format("red", "nan")))


@refused("infinity for a number", "error: …/000001.xml: <bndbox/xmin> is '1e999', expected a number")
def test_infinity_for_a_number(good):
    read_xml(good, annotation(OBJECT.format("red", "1e999")))


@refused("a width of 10^300", "error: …/000001.xml: a size of 1e+300x60, expected at most 1000000 pixels")
def test_a_width_of_1e300(good):
    read_xml(good, annotation(OBJECT.format("red", 1), width="1e300"))


@refused("a negative size", "error: …/000001.xml: a size of -60x60, expected the image's")
def test_a_negative_size(good):
    read_xml(good, annotation(OBJECT.format("red", 1), width="-60"))


@accepted("boxes outside the image", "clipped or dropped, and counted in the log")
def test_boxes_outside_the_image(good):
    assert len(read_xml(good, annotation(OBJECT.format("red", -1e30)))[1].objects.boxes) == 1


@accepted("an object twice", "both count, as in the devkit")
def test_an_object_twice(good):
    assert len(read_xml(good, annotation(*[OBJECT.format("red", 1)] * 2))[1].objects.boxes) == 2


@refused(
    "a class name over several lines",
    "error: …/000001.xml: 'red\\nblue', expected a class name of at most 100 printable characters",
)
def test_a_class_name_over_several_lines(good):
    read_xml(good, annotation(OBJECT.format("red\nblue", 1)))


@refused(
    "a class name of 100,000 characters",
    "error: …/000001.xml: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', "
    "expected a class name of at most 100 printable characters",
)
def test_a_class_name_of_100000_characters(good):
    read_xml(good, annotation(OBJECT.format("x" * 100_000, 1)))
