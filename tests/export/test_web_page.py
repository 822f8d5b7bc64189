"""A page that detects, in Chromium: what it reads, what it finds, what it times; against OpenCV and `detect`."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests import helpers
from tests.browser import opened
from yolojax import data, export, pruning, runs, runtimes, training
from yolojax.network import Model

NAMES = ("circle", "square", "triangle", "cross")
PAGE = pathlib.Path(export.__file__).with_name("page")
READ = "async () => { const {width, height, pixels} = await readPicture(document.querySelector('input').files[0]);"
BOXES = "panel => [...panel.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def web_runtime():
    """ONNX Runtime Web; the test skips where npm is not there, or does not get it."""
    try:
        return export.read_web_runtime()
    except ValueError as error:
        if not str(error).startswith("npm"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model():
    architecture = helpers.small_architecture(size=64)
    return Model(architecture, helpers.random_variables(architecture), NAMES)


@pytest.fixture(scope="module")
def page(web_runtime, model, tmp_path_factory):
    """A random network, and what is left of it without half of its filters."""
    masks = pruning.filter_masks(model.architecture, model.params, 0.5)
    smaller = Model(*pruning.remove_filters(model.architecture, model.variables, masks), NAMES)
    networks = [export.web_network(m, export.Facts(name)) for m, name in ((model, "full"), (smaller, "small"))]
    return export.write_web(tmp_path_factory.mktemp("page"), networks, runtime=web_runtime)


@pytest.fixture
def picture(tmp_path):
    """A PNG that is no multiple of anything."""
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (123, 217, 3), np.uint8), (0, 0), 3)
    (tmp_path / "picture.png").write_bytes(data.encode_png(image))
    return tmp_path / "picture.png"


@pytest.fixture
def reader(tmp_path):
    """A page that has `picture.js` and a place for a file."""
    (tmp_path / "picture.js").write_bytes((PAGE / "picture.js").read_bytes())
    path = tmp_path / "reader.html"
    path.write_text("<!doctype html><title>reader</title><input type=file><script src=picture.js></script>")
    return path


def ready(page):
    page.wait_for_selector("#verdict:has-text('Ready')")
    return page


def detect(page, picture: pathlib.Path) -> None:
    """Gives the page a picture and waits until it has timed the networks."""
    page.set_input_files("#file", picture)
    page.wait_for_selector("#verdict:has-text('Median'), #verdict.error")


def assert_found(page, place: int, expected) -> None:
    """The objects of a panel are those `expected`, in any order: class, score, left, top, right, bottom."""
    rows = page.eval_on_selector(f"article:nth-of-type({place})", BOXES)
    assert len(rows) == len(expected) > 0
    left = [(name, *map(float, numbers)) for name, *numbers in rows]
    for name, *numbers in expected:
        same = [row for row in left if row[0] == name]
        assert same, name
        closest = min(same, key=lambda row: np.abs(np.subtract(row[1:], numbers)).max())
        np.testing.assert_allclose(closest[1], numbers[0], atol=2e-3)
        np.testing.assert_allclose(closest[2:], numbers[1:], atol=0.15)  # the page shows tenths of a pixel
        left.remove(closest)


def test_a_picture_is_stretched_bit_for_bit_as_opencv_does_it(browser, reader):
    sizes = [
        ((375, 500), (224, 224)),
        ((600, 800), (416, 416)),
        ((31, 17), (64, 96)),
        ((64, 64), (32, 32)),
        ((1, 1), (5, 7)),
    ]
    path = reader.with_name("noise.png")
    with opened(browser, reader) as page:
        for shape, (height, width) in sizes:
            image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
            path.write_bytes(data.encode_png(image))
            page.set_input_files("input", path)
            found = page.evaluate(f"{READ} return [...resize(pixels, width, height, {width}, {height})]; }}")
            expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
            np.testing.assert_array_equal(np.reshape(found, (3, height, width)).transpose(1, 2, 0), expected)


def test_an_exif_orientation_does_not_turn_a_picture(browser, reader, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    path = reader.with_name("turned.jpg")
    Image.open(picture).save(path, exif=exif, quality=95)
    expected = data.read_image(path)
    with opened(browser, reader) as page:
        page.set_input_files("input", path)
        width, height, pixels = page.evaluate(f"{READ} return [width, height, [...pixels]]; }}")
    assert (height, width) == expected.shape[:2] == (123, 217)
    found = np.reshape(pixels, (height, width, 4))[..., :3]
    assert np.abs(found - expected.astype(int)).max() <= 3  # decoders may round in their own ways


def test_boxes_are_those_of_the_detector(browser, page, model, picture):
    found = training.Detector(model, training.Protocol(64, 0.25, 0.45))(data.read_image(picture))
    expected = [
        (NAMES[label], score, *box) for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
    ]
    with opened(browser, page) as seen:
        detect(ready(seen), picture)
        assert_found(seen, 1, expected)
        assert seen.eval_on_selector("article canvas", "canvas => canvas.width") > 200


def test_networks_are_timed_against_the_first(browser, page, picture):
    with opened(browser, page) as seen:
        detect(ready(seen), picture)
        verdict = seen.inner_text("#verdict")
        assert verdict.startswith("small is ")
        assert verdict.endswith("Median of 11 runs, in turns.")
        assert seen.locator(".time").all_inner_texts()[1].endswith(" ms")
        assert "Multiply-adds" in seen.inner_text("#facts")


def test_the_threshold_hides_boxes(browser, page, picture):
    count = "document.querySelectorAll('article:first-of-type tbody tr').length"
    with opened(browser, page) as seen:
        detect(ready(seen), picture)
        before = seen.evaluate(count)
        seen.fill("#threshold", "0.06")
        assert seen.evaluate(count) > before
        seen.fill("#threshold", "0.95")
        assert seen.evaluate(count) < before
        assert seen.inner_text("#threshold-value") == "0.95"


def test_a_file_that_is_no_picture_is_said_to_be_none(browser, page, picture):
    words = picture.with_name("words.txt")
    words.write_text("no picture")
    with opened(browser, page) as seen:
        detect(ready(seen), words)
        assert seen.inner_text("#verdict") == "words.txt is not a picture that this browser can read."
        detect(seen, picture)
        assert "Median" in seen.inner_text("#verdict")


def test_a_picture_can_be_dropped(browser, page, picture):
    drop = """async (pixels) => {
        const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(pixels)], "dropped.png", { type: "image/png" }));
        dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
    }"""
    with opened(browser, page) as seen:
        ready(seen).evaluate(drop, list(picture.read_bytes()))
        seen.wait_for_selector("#verdict:has-text('Median')")


def test_the_camera_goes_on_until_it_is_stopped(browser, page):
    with opened(browser, page) as seen:
        ready(seen).click("#camera")
        seen.wait_for_selector("#camera:has-text('Stop')")
        seen.wait_for_selector("#verdict:has-text('small is')")
        seen.click("#camera")
        assert seen.inner_text("#camera") == "Use the camera"


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_it(browser, page, picture, dark):
    with opened(browser, page, width=390, dark=dark) as seen:
        detect(ready(seen), picture)
        ground = seen.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_a_real_network_finds_on_a_real_picture_what_detect_finds(browser, web_runtime, shared_data, tmp_path):
    lite = shared_data / "yolo-lite"
    names = str(lite / "voc.names")
    full = export.open_model(lite / "tiny-yolov2-trial3.weights", names=names)
    masks = pruning.filter_masks(full.architecture, full.params, 0.2, criterion="l1")
    smaller = Model(*pruning.remove_filters(full.architecture, full.variables, masks), full.names)
    export.save_darknet(smaller, tmp_path / "small")
    source, folder = str(tmp_path / "small.weights"), tmp_path / "page"
    runs.convert(source, "web", str(folder), against=str(lite / "tiny-yolov2-trial3.weights"))

    picture = shared_data / "voc2007-mini" / "VOCdevkit" / "VOC2007" / "JPEGImages" / "001506.jpg"
    expected = []
    for path in (lite / "tiny-yolov2-trial3.weights", source):
        program = runtimes.open_program(path, names=names)
        protocol = training.Protocol(program.size, 0.25, 0.45)
        runs.detect_files(program, [str(picture)], tmp_path / "found", protocol, runtime="onnxruntime")
        (image,) = json.loads((tmp_path / "found" / "detections.json").read_text())["images"]
        expected.append([(entry["class"], entry["score"], *entry["box"]) for entry in image["objects"]])
    with opened(browser, folder / "index.html") as page:
        detect(ready(page), picture)
        for place, rows in enumerate(expected, start=1):
            assert_found(page, place, rows)
        assert page.locator("h2").all_inner_texts() == ["tiny-yolov2-trial3", "small"]
