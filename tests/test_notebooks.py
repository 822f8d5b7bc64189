"""The notebooks run from top to bottom, with few steps, and show what they promise."""

import pathlib

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
# What a cell's outputs must hold: a piece of a table's HTML or of text, or a picture.
PICTURE, PHOTOGRAPHS = "image/png", "image/jpeg"
EXPECTED = {
    "inspect_sparsity": {
        "open": "conv_00/kernel",
        "weights": "<td>0.8",
        "weights-layers": "<th>conv_14</th>",
        "histograms": PICTURE,
        "masked": "weights_kept",
        "filters": "mean of the group",
        "close": "at or below the threshold",
        "scores": PICTURE,
        "removal": "largest difference of the heads",
        "difference": "relative_l2",
        "accounting": "filters 40%",
    },
    "prune_and_retrain": {
        "train": "AP (11-point)",
        "predict": PICTURE,
        "results": "retrained",
        "loss": PICTURE,
        "pictures-filters": PHOTOGRAPHS,
        "pictures-weights": PHOTOGRAPHS,
        "inside": "sparsity",
    },
}


def text_of(cell):
    """Everything that a cell put out, each format's name with it."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        parts += [f"{kind}: {content}" for kind, content in output.get("data", {}).items()]
    return "\n".join(parts)


def test_every_notebook_is_run():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_it_is_kept_without_outputs(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert all(word in text for word in ("Colab", "TPU", "GPU", "pip install", "yolov2-voc.weights"))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_it_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    monkeypatch.setenv("STEPS", "4")
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # all that it writes
    for name_of_folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name_of_folder, str(tmp_path / name_of_folder.lower()))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()  # raises CellExecutionError with the cell's traceback
    cells = {cell.id: cell for cell in notebook.cells}
    for cell, expected in EXPECTED[name].items():
        assert expected in text_of(cells[cell]), cell
    assert list(tmp_path.glob("yolojax-*/train/model.weights"))
