"""The network in other formats than Darknet's, each file with a card beside it.

What a format needs beyond JAX is the extra `export`, imported when a file is written.
"""

from yolojax.export.card import Facts, Interface, Measured, Tensor, card_path, write_card
from yolojax.export.compressed import (
    can_compress,
    compressed_bytes,
    compressed_interface,
    is_compressed,
    read_compressed,
    write_compressed,
)
from yolojax.export.container import CompressedInfo
from yolojax.export.darknet import darknet_interface
from yolojax.export.onnx import onnx_model, write_onnx
from yolojax.export.optional import require
from yolojax.export.safetensors import read_safetensors, write_safetensors
from yolojax.export.stablehlo import DEFAULT_PLATFORMS, stablehlo_export, write_stablehlo
from yolojax.export.suppression import Suppression

__all__ = [
    "DEFAULT_PLATFORMS",
    "CompressedInfo",
    "Facts",
    "Interface",
    "Measured",
    "Suppression",
    "Tensor",
    "can_compress",
    "card_path",
    "compressed_bytes",
    "compressed_interface",
    "darknet_interface",
    "is_compressed",
    "onnx_model",
    "read_compressed",
    "read_safetensors",
    "require",
    "stablehlo_export",
    "write_card",
    "write_compressed",
    "write_onnx",
    "write_safetensors",
    "write_stablehlo",
]
