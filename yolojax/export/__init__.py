"""The network in other formats than Darknet's, each file with a card beside it.

What a format needs beyond JAX is the extra `export`, imported when a file is written.
"""

from yolojax.export.card import Facts, Interface, Measured, Tensor, card_path, write_card
from yolojax.export.darknet import darknet_interface
from yolojax.export.onnx import onnx_model, write_onnx
from yolojax.export.optional import require
from yolojax.export.safetensors import read_safetensors, write_safetensors
from yolojax.export.stablehlo import DEFAULT_PLATFORMS, stablehlo_export, write_stablehlo
from yolojax.export.suppression import Suppression

__all__ = [
    "DEFAULT_PLATFORMS",
    "Facts",
    "Interface",
    "Measured",
    "Suppression",
    "Tensor",
    "card_path",
    "darknet_interface",
    "onnx_model",
    "read_safetensors",
    "require",
    "stablehlo_export",
    "write_card",
    "write_onnx",
    "write_safetensors",
    "write_stablehlo",
]
