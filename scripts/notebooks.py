#!/usr/bin/env python3
"""Runs the notebooks from top to bottom and keeps them with their outputs.

python scripts/notebooks.py                    # all of them, about ten minutes on two CPU cores
python scripts/notebooks.py inspect_sparsity   # one
"""

import argparse
import pathlib
import re
from collections.abc import Iterator

import nbclient
import nbformat

ROOT = pathlib.Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
CELL_SECONDS = 3600
LARGEST = 600_000  # bytes of a notebook with its outputs
PLACE = re.compile(r"(?<![\w.~])/(?:content|home|mnt|private|root|tmp|Users|var|work)/[^\s'\"<>]*")


def run(notebook: nbformat.NotebookNode) -> None:
    """Fills in the outputs of a notebook. Raises nbclient's CellExecutionError with a cell's traceback."""
    about = notebook.metadata.copy()
    place = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, record_timing=False, resources=place).execute()
    notebook.metadata = about  # without this machine's version of Python


def texts(cell: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """(kind, content) of all that a cell put out: text/html, image/png in base 64, ..., stdout or stderr, error."""
    for output in cell.get("outputs", []):
        match output.output_type:
            case "stream":
                yield output.name, output.text
            case "error":
                yield "error", "\n".join(output.traceback)
            case _:
                yield from output.data.items()


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What keeps a notebook from being shown to others; [] where nothing does."""
    found = []
    for cell in notebook.cells:
        for kind, content in texts(cell):
            if kind in ("stderr", "error"):
                found.append(f"{cell.id}: {kind}: {content.strip()[:200]}")
            elif not kind.startswith("image/") and (place := PLACE.search(content)):
                found.append(f"{cell.id}: the path {place[0]} is this machine's")
    if (size := len(nbformat.writes(notebook).encode())) > LARGEST:
        found.append(f"{size:,} bytes, expected at most {LARGEST:,}")
    return found


def main() -> None:
    """Runs those that are named, and keeps each that has no fault."""
    known = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all by default")
    names = parser.parse_args().names or known
    if unknown := set(names) - set(known):
        parser.error(f"no notebook {', '.join(sorted(unknown))}, expected {' or '.join(known)}")
    for name in names:
        path = FOLDER / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        run(notebook)
        if wrong := faults(notebook):
            raise SystemExit(f"{path.name} is left as it was:\n" + "\n".join(wrong))
        nbformat.write(notebook, path)
        print(f"wrote {path.name}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
