"""Wrong and hostile COCO files."""

import json

from tests.input.cases import Good, accepted, refused
from yolojax import data
from yolojax.data.coco_json import read_coco

FILE = "COCO json"
WHOLE = {
    "images": [{"id": 1, "file_name": "000001.jpg"}],
    "annotations": [{"image_id": 1, "category_id": 2, "bbox": [2, 3, 10, 12]}],
    "categories": [{"id": 2, "name": "red"}],
}


def read_changed(good: Good, key: str, **changes: object):
    content = WHOLE | {key: [WHOLE[key][0] | changes]}
    return read_coco(good.write("coco.json", json.dumps(content)))


@refused(
    "missing", "error: …coco.json: no such file or folder, expected a COCO .json, or a folder with one for each split"
)
def test_missing(good):
    data.open_dataset(f"coco:{good.folder / 'coco.json'}", "train")


@refused("empty", "error: …coco.json: not JSON (…), expected COCO's images, annotations and categories")
def test_empty(good):
    read_coco(good.write("coco.json", ""))


@refused("truncated", "error: …coco.json: not JSON (…), expected COCO's images, annotations and categories")
def test_truncated(good):
    read_coco(good.write("coco.json", json.dumps(WHOLE)[:-9]))


@refused(
    "too long", "error: …coco.json:1: more than 1073741824 bytes, expected COCO's images, annotations and categories"
)
def test_too_long(good):
    read_coco(good.long("coco.json", 1 << 40))


@refused("another kind of file", "error: …coco.json:1: byte 0xff, expected UTF-8 text")
def test_another_kind_of_file(good):
    read_coco(good.write("coco.json", good.jpeg()))


@refused("other JSON", "error: …coco.json: no list of categories, expected COCO's images, annotations and categories")
def test_other_json(good):
    read_coco(good.write("coco.json", "[1, 2]"))


@refused(
    "nested 100,000 deep", "error: …coco.json: nested too deeply, expected COCO's images, annotations and categories"
)
def test_nested(good):
    read_coco(good.write("coco.json", "[" * 100_000))


@refused(
    "NaN for a number", "error: …coco.json: annotations[0]: bbox is '[2, nan, 1, 1]', expected x, y, width, height"
)
def test_nan(good):
    read_changed(good, "annotations", bbox=[2, float("nan"), 1, 1])


@refused("a box of 10^400", "error: …coco.json: annotations[0]: bbox is …, expected x, y, width, height")
def test_a_huge_box(good):
    read_changed(good, "annotations", bbox=[10**400, 1, 1, 1])


@refused("an image that is not there", "error: …coco.json: annotations[0]: image_id 9 is not among the images")
def test_an_unknown_image(good):
    read_changed(good, "annotations", image_id=9)


@refused("a category that is not there", "error: …coco.json: annotations[0]: category_id 9 is not among the categories")
def test_an_unknown_category(good):
    read_changed(good, "annotations", category_id=9)


@refused("a category twice", "error: …coco.json: a category comes twice, expected each name once")
def test_a_category_twice(good):
    categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "red"}]
    read_coco(good.write("coco.json", json.dumps(WHOLE | {"categories": categories})))


@refused(
    "a path that climbs out of its folder",
    "error: …coco.json: images[0]: file_name '../../etc/passwd', expected a path below the folder of images",
)
def test_a_path_that_climbs(good):
    read_changed(good, "images", file_name="../../etc/passwd")


@refused("a number for a name", "error: …coco.json: categories[0]: name is '7', expected a text")
def test_a_number_for_a_name(good):
    read_changed(good, "categories", name=7)


@accepted("ids that are texts")
def test_ids_that_are_texts(good):
    content = json.loads(json.dumps(WHOLE).replace('"id": 1', '"id": "a"').replace('"image_id": 1', '"image_id": "a"'))
    assert read_coco(good.write("coco.json", json.dumps(content))).names == ("red",)
