from tests.export import networks
from yolojax import export
from yolojax.network import Architecture, Convolutional, Net


def card(tmp_path, architecture, variables, facts, interface=None):
    path = tmp_path / "m.bin"
    path.write_bytes(bytes(12345))
    export.write_card(path, architecture, variables, interface or export.darknet_interface(architecture), facts)
    return export.card_path(path).read_text()


def test_a_card_tells_what_a_user_needs(tmp_path):
    architecture, variables = networks.even_network()
    variables["params"]["conv_01"]["bias"][:] = 1
    measured = export.Measured(0.7125, 0.75, "voc2007 test (4952 images)", "416x416, confidence >= 0.005")
    text = card(tmp_path, architecture, variables, export.Facts("runs/a", ("dog", "cat"), measured))
    for part in (
        "# m.bin\n",
        "from `runs/a`.",
        "12,345 bytes",
        "2 convolutions, 182 parameters, 14 of them not zero, 2,624 multiply-adds for an image of 8x8",
        "mAP: 0.7125 (11-point), 0.7500 (area) on voc2007 test (4952 images), measured by yolojax: 416x416, confid",
        "| `images` | batch x 3 x 8 x 8 | float32 | RGB in 0..1, NCHW |",
        "stretched to 8x8",
        "| `head` | batch x 14 x 4 x 4 | float32 |",
        "Classes: 0 dog, 1 cat.",
        "cells of the 4x4 head: 3 x 3, 1 x 1.",
        "x = (column + σ(tx)) / 4",
    ):
        assert part in text


def test_logistic_classes_are_told(tmp_path):
    architecture, variables = networks.even_network()
    assert "σ(to) * softmax(class logits)." in card(tmp_path, architecture, variables, export.Facts())
    logistic = networks.with_region(architecture, softmax=False)
    assert "σ(to) * σ(class logit)." in card(tmp_path, logistic, variables, export.Facts())


def test_a_grey_networks_input(tmp_path):
    architecture = Architecture(Net(8, 8, 1), (Convolutional(4),))
    text = card(tmp_path, architecture, networks.random_variables(architecture), export.Facts())
    assert "| `images` | batch x 1 x 8 x 8 | float32 | grey in 0..1, NCHW |" in text
    assert "the image as grey (.299 R + .587 G + .114 B), stretched to 8x8" in text


def test_what_is_not_known_is_told(tmp_path):
    text = card(tmp_path, *networks.even_network(), export.Facts())
    assert "mAP: not known." in text
    assert "Classes: 2, names not known." in text


def test_a_backbone_has_no_classes(tmp_path):
    architecture, variables = networks.even_network()
    backbone = type(architecture)(architecture.net, architecture.layers[:-1])
    assert "Classes" not in card(tmp_path, backbone, variables, export.Facts())
