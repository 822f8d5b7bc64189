"""The folder of a page that detects: what is in it, and what is refused. tests/export/test_web_page.py opens it."""

import base64
import dataclasses
import gzip
import html.parser
import json

import numpy as np
import onnxruntime
import pytest

from tests import helpers
from tests.export import networks
from yolojax import detection, export, pruning
from yolojax.export import onnxruntime_web, web
from yolojax.network import Convolutional, Model

NAMES = ("circle", "square", "triangle", "cross")
RUNTIME = export.WebRuntime(b"the script", b"the binary")


@pytest.fixture
def model():
    architecture = helpers.small_architecture()
    return Model(architecture, helpers.random_variables(architecture), NAMES)


def network_on(folder, number=1) -> dict:
    """What network-N.js tells the page."""
    text = (folder / f"network-{number}.js").read_text()
    return json.loads(text.removeprefix("(globalThis.NETWORKS ??= []).push(").removesuffix(");\n"))


def unpacked(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text))


class Loaded(html.parser.HTMLParser):
    """The addresses that a page loads, and its ids."""

    def __init__(self, text: str):
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        self.ids += [value for name, value in attrs if name == "id"]


def test_the_folder_has_all_that_the_page_loads(model, tmp_path):
    page = export.write_web(
        tmp_path / "new" / "page", [export.web_network(model), export.web_network(model)], runtime=RUNTIME
    )
    assert page == tmp_path / "new" / "page" / "index.html"
    names = {path.name for path in page.parent.iterdir()}
    loaded = Loaded(page.read_text())
    assert set(loaded.addresses) - {"data:,"} == names - {"index.html", "README.txt"}
    assert {"network-1.js", "network-2.js", "runtime.js"} <= names
    assert len(set(loaded.ids)) == len(loaded.ids)
    assert "$" not in page.read_text()


def test_a_page_of_fewer_networks_takes_the_place_of_an_older_one(model, tmp_path):
    network = export.web_network(model)
    export.write_web(tmp_path, [network, network], runtime=RUNTIME)
    (tmp_path / "mine.js").write_text("stays")
    assert "network-2.js" not in export.write_web(tmp_path, [network], runtime=RUNTIME).read_text()
    assert {path.name for path in tmp_path.glob("*.js") if path.name[:2] in ("ne", "mi")} == {"network-1.js", "mine.js"}


def test_the_runtime_is_in_a_script(model, tmp_path):
    export.write_web(tmp_path, [export.web_network(model)], runtime=RUNTIME)
    text = (tmp_path / "runtime.js").read_text()
    packed = json.loads(text.removeprefix("const RUNTIME = ").removesuffix(";\n"))
    assert (unpacked(packed["script"]), unpacked(packed["binary"])) == RUNTIME
    about = (tmp_path / "README.txt").read_text()
    assert f"ONNX Runtime Web {onnxruntime_web.VERSION}" in about
    assert "Permission is hereby granted" in about


def test_a_network_is_there_as_onnx_with_its_detections(model, tmp_path):
    export.write_web(tmp_path, [export.web_network(model)], runtime=RUNTIME)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    file = unpacked(network_on(tmp_path)["onnx"])
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).random((1, 32, 32, 3), np.float32)
    _, scores, labels, _ = session.run(None, {"images": images.transpose(0, 3, 1, 2)})
    _, _, after = networks.detect(model.architecture, model.variables, images, web.SUPPRESSION)
    _, expected = np.nonzero(after[0])
    np.testing.assert_array_equal(np.sort(labels), np.sort(expected))
    np.testing.assert_allclose(np.sort(scores), np.sort(after[after > 0]), rtol=1e-4)


def test_what_the_page_says_of_a_network(model, tmp_path):
    measured = export.Measured(0.5, 0.6, "shapes test (10 images)", "confidence >= 0.005")
    facts = export.Facts(str(tmp_path / "runs" / "small" / "model.weights"), NAMES, measured, ("one more thing.",))
    export.write_web(tmp_path, [export.web_network(model, facts)], runtime=RUNTIME)
    about = network_on(tmp_path)
    assert (about["name"], about["width"], about["height"]) == ("small", 32, 32)
    assert about["macs"] == pruning.macs(model.architecture)
    assert about["parameters"] == about["nonzero"] == pruning.count_parameters(model.params)
    assert about["bytes"] == len(unpacked(about["onnx"]))
    assert about["map"] == {"points": 0.5, "area": 0.6}
    assert about["notes"] == ["mAP on shapes test (10 images): confidence >= 0.005.", "one more thing."]
    assert about["numbers"] == "float32"


def test_without_a_map_or_names(model, tmp_path):
    export.write_web(tmp_path, [export.web_network(dataclasses.replace(model, names=()))], runtime=RUNTIME)
    about = network_on(tmp_path)
    assert about["map"] is None
    assert about["notes"] == []
    assert [entry["name"] for entry in about["classes"]] == ["class 0", "class 1", "class 2", "class 3"]


def test_a_class_has_one_colour_and_it_is_that_of_detect(model, tmp_path):
    turned = dataclasses.replace(model, names=NAMES[::-1])
    export.write_web(tmp_path, [export.web_network(model), export.web_network(turned)], runtime=RUNTIME)
    first, second = (
        {entry["name"]: entry["colour"] for entry in network_on(tmp_path, number)["classes"]} for number in (1, 2)
    )
    assert first == second
    assert first["triangle"] == "#{:02x}{:02x}{:02x}".format(*detection.colour(2))


def test_names_and_titles_are_text_and_not_html(model, tmp_path):
    network = dataclasses.replace(export.web_network(model), name="<b>&</b>")
    assert "&lt;b&gt;&amp;&lt;/b&gt;</h1>" in export.write_web(tmp_path, [network], runtime=RUNTIME).read_text()
    named = dataclasses.replace(model, names=("</script>", *NAMES[1:]))
    export.write_web(tmp_path, [export.web_network(named)], runtime=RUNTIME)
    assert network_on(tmp_path)["classes"][0]["name"] == "</script>"


@pytest.mark.parametrize(
    ("source", "name"),
    [("runs/small", "small"), ("runs/small/model.weights", "small"), ("a/b.c.weights", "b.c"), ("", "network")],
)
def test_a_network_is_called_after_its_file_or_run(tmp_path, monkeypatch, source, name):
    (tmp_path / "runs" / "small").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert export.web_name(source) == name


def test_a_page_is_an_output(model, tmp_path):
    export.write_web(tmp_path, [export.web_network(model)], runtime=RUNTIME)
    with pytest.raises(ValueError, match="is a page that detects, which is an output"):
        export.open_model(tmp_path)


def test_the_entry_writes_one_network_as_it_is_given(model, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "read_web_runtime", lambda package: RUNTIME)
    write = export.FORMATS["web"].write
    assert write(tmp_path, model, export.Facts("a/b.weights"), export.WebOptions()) == tmp_path / "index.html"
    assert network_on(tmp_path)["name"] == "b"
    with pytest.raises(ValueError, match="a format only writes what it is given"):
        write(tmp_path, model, export.Facts(), export.WebOptions(against="other.weights"))


def test_networks_that_no_page_can_run(model):
    grey = dataclasses.replace(model.architecture, net=dataclasses.replace(model.architecture.net, channels=1))
    with pytest.raises(ValueError, match=r"\[net\] has channels=1; a page gives RGB pictures, expected 3"):
        export.check_web(grey)
    backbone = dataclasses.replace(model.architecture, layers=(Convolutional(3),))
    with pytest.raises(ValueError, match="does not detect"):
        export.check_web(backbone)


def test_a_file_in_the_place_of_the_folder(model, tmp_path):
    (tmp_path / "page").write_text("mine")
    with pytest.raises(ValueError, match="page: a file, expected a folder for the page"):
        export.write_web(tmp_path / "page", [export.web_network(model)], runtime=RUNTIME)
    assert (tmp_path / "page").read_text() == "mine"


def test_another_package_is_refused(tmp_path):
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"other.tgz: its SHA-512 is .*, expected .*, that of onnxruntime-web@"):
        export.read_web_runtime(tmp_path / "other.tgz")


def test_without_npm_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        ValueError, match=r"npm, .* is not installed .*; --runtime_package takes the file that `npm pack"
    ):
        export.read_web_runtime()


def test_npm_that_fails_gives_its_reason(tmp_path, monkeypatch):
    (tmp_path / "npm").write_text("#!/bin/sh\necho 'npm error no such\nnpm error version' >&2\nexit 1\n")
    (tmp_path / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(
        ValueError, match=r"npm cannot get .* \(npm error no such npm error version\); --runtime_package"
    ):
        export.read_web_runtime()
