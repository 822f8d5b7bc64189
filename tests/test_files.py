import pathlib

import pytest

from yolojax.files import replacing


def test_replaces_the_file_when_the_block_ends(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_leaves_the_old_file_and_nothing_else_when_the_block_raises(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text(f"half {1 / 0}" if temporary.write_text("half") else "")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_new_file_is_absent_when_the_block_raises_before_writing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(RuntimeError), replacing(tmp_path / "a.txt"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named_before_the_block_runs(tmp_path: pathlib.Path) -> None:
    message = r"gone/a\.txt: no folder .*gone to write it in"
    with pytest.raises(FileNotFoundError, match=message), replacing(tmp_path / "gone" / "a.txt"):
        pytest.fail("the block ran")
    assert list(tmp_path.iterdir()) == []
