"""Whole commands given a damaged file: one line on stderr, exit code 2, nothing on stdout."""

import os
import pathlib
import subprocess
import sys

import pytest

from tests.input.cases import Good, matches

ROOT = pathlib.Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def check(good: Good, command: str, expected: str) -> None:
    """Runs `command` in the folder of the damaged files."""
    name, *arguments = command.split()
    result = subprocess.run(
        [sys.executable, "-m", f"yolojax.{name}", *arguments],
        cwd=good.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.strip().split("\n") if "detect:" not in line]  # a bar
    assert matches(expected, line), line


def test_convert_with_damaged_weights(good):
    good.write("m.weights", b"GIF89")
    check(good, "convert --model m.weights --out x", "error: …m.weights: 5 bytes, expected …")


def test_detect_on_a_damaged_image(good):
    good.write("photo.jpg", b"GIF89")
    check(good, "detect --model m.weights photo.jpg", "error: photo.jpg: cannot be decoded, …")


def test_convert_with_a_damaged_checkpoint(good):
    files = [path for path in good.folder.glob("checkpoint/**/*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)
    expected = "error: …checkpoint/0 is damaged (…); remove that folder to use the checkpoint before it"
    check(good, "convert --model checkpoint --out x", expected)


def test_evaluate_with_a_damaged_annotation(good):
    good.write("devkit/Annotations/000001.xml", b"GIF89")
    expected = "error: devkit/Annotations/000001.xml: …, expected a devkit annotation in XML"
    check(good, "evaluate --detections found --devkit devkit", expected)
