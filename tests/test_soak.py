"""The soak script, for a few rounds; the hour is run by hand."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.slow
def test_a_few_rounds(tmp_path):
    command = [sys.executable, "scripts/soak.py", "--minutes=0", f"--workdir={tmp_path / 'soak'}"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in found.stderr
    rows = [line for line in found.stdout.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows] == ["round", "---", "1", "2", "3"]
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == "error: 3 rounds are too few to say; give more minutes"
