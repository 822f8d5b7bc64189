"""What a card says of Darknet's two files; `darknet.save` writes them."""

from yolojax.export.card import Interface, head, images
from yolojax.network import Architecture

EXAMPLE = """
import cv2
import numpy as np

network = cv2.dnn.readNetFromDarknet("{{stem}}.cfg", "{{stem}}.weights")  # OpenCV 4; 5 reads no Darknet files
network.setInput(np.zeros({shape}, np.float32))
head = network.forward("{name}")
"""


def darknet_interface(architecture: Architecture) -> Interface:
    """What goes in and comes out of a `.cfg` and `.weights` in OpenCV."""
    (image,) = inputs = (images(architecture),)
    kind = "Darknet weights, with the layers in the .cfg and the class names in the .names beside them"
    example = EXAMPLE.format(shape=(1, *image.shape[1:]), name=architecture.head_name)
    return Interface(kind, inputs, (head(architecture),), example)
