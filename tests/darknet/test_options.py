import logging

import pytest

from yolojax.darknet.options import kept_options
from yolojax.darknet.sections import CfgError, parse_sections


def test_keeps_options_in_order_and_warns_once_about_unknown_ones(caplog: pytest.LogCaptureFixture) -> None:
    text = "[net]\nmosaic=1\nburn_in=1000\nmosaic=1\n[convolutional]\nmosaic=2\n[convolutional]\nmosaic=3\ndilation=1\n"
    warned: set[tuple[str, str]] = set()
    with caplog.at_level(logging.WARNING, logger="absl"):
        kept = [kept_options(section, warned) for section in parse_sections(text, "a.cfg")]
    assert kept == [(("mosaic", "1"), ("burn_in", "1000")), (("mosaic", "2"),), (("mosaic", "3"), ("dilation", "1"))]
    assert [record.getMessage() for record in caplog.records] == [
        "a.cfg:2: unknown option mosaic in [net], kept but not used",
        "a.cfg:6: unknown option mosaic in [convolutional], kept but not used",
    ]


@pytest.mark.parametrize(
    ("section", "option", "message"),
    [
        ("convolutional", "xnor=1", "xnor=1 is not supported in [convolutional], expected 0"),
        ("convolutional", "binary=1", "binary=1 is not supported in [convolutional], expected 0"),
        ("convolutional", "flipped=1", "flipped=1 is not supported in [convolutional], expected 0"),
        ("convolutional", "dilation=2", "dilation=2 is not supported in [convolutional], expected 1"),
        ("convolutional", "stride_x=2", "stride_x is not supported in [convolutional], remove it"),
        ("convolutional", "dontsave=1", "dontsave=1 is not supported in [convolutional], expected 0"),
        ("maxpool", "maxpool_depth=1", "maxpool_depth=1 is not supported in [maxpool], expected 0"),
        ("route", "groups=2", "groups=2 is not supported in [route], expected 1"),
        ("reorg", "reverse=1", "reverse=1 is not supported in [reorg], expected 0"),
        ("reorg", "flatten=1", "flatten=1 is not supported in [reorg], expected 0"),
        ("region", "classfix=-1", "classfix=-1 is not supported in [region], expected 0"),
        ("region", "background=1", "background=1 is not supported in [region], expected 0"),
        ("region", "tree=9k.tree", "tree is not supported in [region], remove it"),
    ],
)
def test_refuses_what_would_change_the_network(section: str, option: str, message: str) -> None:
    (parsed,) = parse_sections(f"[{section}]\n{option}\n", "a.cfg")
    with pytest.raises(CfgError) as error:
        kept_options(parsed, set())
    assert str(error.value) == f"a.cfg:2: {message}"
