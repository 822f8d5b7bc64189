import pathlib

import pytest

from yolojax import darknet

THIRD_PARTY = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"


def test_published_names() -> None:
    voc, coco = darknet.read_names(THIRD_PARTY / "voc.names"), darknet.read_names(THIRD_PARTY / "coco.names")
    assert len(voc) == 20
    assert (voc[0], voc[6], voc[14], voc[19]) == ("aeroplane", "car", "person", "tvmonitor")
    assert len(coco) == 80
    assert (coco[0], coco[9], coco[79]) == ("person", "traffic light", "toothbrush")


def test_spaces_and_line_ends(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.names").write_bytes(b" red cell\r\nplatelet\r\n\r\n")
    assert darknet.read_names(tmp_path / "a.names") == ("red cell", "platelet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.names: no class names, expected one per line"),
        ("\n \n", "a.names: no class names, expected one per line"),
        ("cat\n\ndog\n", "a.names:2: an empty line, expected a class name"),
        ("cat\ndog\ncat\n", "a.names:3: 'cat' was already on line 1"),
    ],
)
def test_errors(tmp_path: pathlib.Path, text: str, message: str) -> None:
    (tmp_path / "a.names").write_text(text)
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole message is compared
        darknet.read_names(tmp_path / "a.names")
    assert str(error.value) == f"{tmp_path}/{message}"
