"""The notebooks ship with their outputs, run from top to bottom, and take a network and pictures of one's own."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from scripts import notebooks
from tests import helpers

# What a cell's outputs must hold: a piece of a table's HTML or of text, or a picture.
PICTURE, PHOTOGRAPHS = "image/png", "image/jpeg"
EXPECTED = {
    "inspect_sparsity": {
        "network": "M MACs",
        "leaves": "conv_00/kernel",
        "weights": "<td>0.8",
        "weights-layers": "<th>conv_14</th>",
        "histograms": PICTURE,
        "masked": "weights_kept",
        "filters": "mean of the group",
        "close": "at or below the threshold",
        "scores": PICTURE,
        "removal": "largest difference of the heads",
        "budget": "MACs left",
        "repair": "the head is off by",
        "difference": "relative_l2",
        "accounting": "filters 40%",
    },
    "prune_and_retrain": {
        "network": "M MACs",
        "measured": "200 images",
        "prune": "<th>conv_15</th>",
        "results": "retrained",
        "pictures": PHOTOGRAPHS,
        "time": " ms retrained, ",
        "detect": " in 160x160 pixels",
        "loss": PICTURE,
        "save": "small.onnx",
        "again": "<th>conv_14</th>",
        "inside": "sparsity",
    },
}
# A network of one's own has other layers, and other pictures have other sizes.
OF_ANY = {
    "inspect_sparsity": ("network", "removal", "budget", "repair", "accounting"),
    "prune_and_retrain": ("network", "results", "pictures", "save", "inside"),
}


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """All that a kernel writes goes into the test's folder."""
    monkeypatch.setenv("STEPS", "4")
    for name in ("TMPDIR", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(notebooks.ROOT / ".cache" / "jax"))


def read(name):
    return nbformat.read(notebooks.FOLDER / f"{name}.ipynb", as_version=4)


def text_of(notebook, cell_id):
    """Everything that a cell put out, each format's name with it."""
    (cell,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return "\n".join(f"{kind}: {content}" for kind, content in notebooks.texts(cell))


def missing(notebook, expected):
    return [cell for cell, text in expected.items() if text not in text_of(notebook, cell)]


def test_every_notebook_is_run():
    assert {path.stem for path in notebooks.FOLDER.glob("*.ipynb")} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_it_ships_with_the_outputs_of_one_run(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert missing(notebook, EXPECTED[name]) == []
    assert notebooks.faults(notebook) == []
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", EXPECTED)
def test_it_says_how_it_runs_in_colab_and_on_ones_own_network(name):
    text = "".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    for word in ("Colab", "TPU", "GPU", "pip install", "yolov2-voc.weights", "## Your own network and pictures"):
        assert word in text


def test_the_outputs_show_that_a_repair_helps():
    rows = re.findall(
        r"^(unpruned|pruned|repaired) .* (\d\.\d+) +\d\.\d+$", text_of(read("prune_and_retrain"), "results"), re.M
    )
    found = {name: float(precision) for name, precision in rows}
    assert found["pruned"] < 0.5 * found["repaired"] < found["repaired"] <= found["unpruned"] + 0.02
    off = re.findall(r"off by ([\d.]+)%", text_of(read("inspect_sparsity"), "repair"))
    assert float(off[1]) < 0.5 * float(off[0])


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        (new_output("stream", name="stderr", text="WARNING:absl:so it goes"), "a: stderr: WARNING:absl:so it goes"),
        (new_output("error", ename="E", evalue="e", traceback=["Traceback"]), "a: error: Traceback"),
        (
            new_output("stream", name="stdout", text="in /tmp/run/a.txt."),
            "a: the path /tmp/run/a.txt. is this machine's",
        ),
        (new_output("display_data", {"text/html": "<p>/root/a</p>"}), "a: the path /root/a is this machine's"),
        (new_output("display_data", {"image/png": "A" * 600_000}), "expected at most 600,000"),
    ],
)
def test_an_output_that_is_not_for_others(output, fault):
    (found,) = notebooks.faults(new_notebook(cells=[new_code_cell(id="a", outputs=[output])]))
    assert fault in found


def test_outputs_that_are_for_others():
    shown = [
        new_output("stream", name="stdout", text="runs/demo/report.html, https://example.org/tmp/a, 160/work/2"),
        new_output("display_data", {"image/png": "aGk=/tmp/aGk="}),  # base 64 has slashes
    ]
    assert notebooks.faults(new_notebook(cells=[new_code_cell(id="a", outputs=shown)])) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs_from_top_to_bottom(name, tmp_path, elsewhere):
    notebook = read(name)
    notebooks.run(notebook)  # raises CellExecutionError with the cell's traceback
    assert missing(notebook, EXPECTED[name]) == []
    assert notebooks.faults(notebook) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs_on_ones_own_network_and_pictures(name, tmp_path, elsewhere):
    helpers.save_network(tmp_path, helpers.small_architecture(size=64, classes=2))
    (tmp_path / "m.names").write_text("blue\nred\n")
    folder = helpers.make_devkit(tmp_path / "squares")
    notebook = read(name)
    (own,) = [cell for cell in notebook.cells if cell.id == "own"]
    for empty, given in (("MODEL", tmp_path / "m.weights"), ("DATA", f"devkit:{folder}")):
        assert f'{empty} = ""' in own.source
        own.source = own.source.replace(f'{empty} = ""', f"{empty} = {str(given)!r}")
    notebooks.run(notebook)
    assert missing(notebook, {cell: EXPECTED[name][cell] for cell in OF_ANY[name]}) == []
