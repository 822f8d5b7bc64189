"""The formats that a network is written in and opened from, one entry of `FORMATS` each; a card beside most files.

What a format needs beyond JAX is the extra `export`, imported when a file is written.
"""

from yolojax.export.card import Facts, Interface, Measured, Tensor, card_path, write_card
from yolojax.export.checkpoint import CheckpointOptions, load_model, save_model
from yolojax.export.compressed import (
    can_compress,
    compressed_bytes,
    read_compressed,
    write_compressed,
)
from yolojax.export.container import CompressedInfo
from yolojax.export.darknet import darknet_interface, save_darknet
from yolojax.export.deployed import DEPLOYED, Deployed, read_deployed
from yolojax.export.format import Choice, Format, NoOptions, Option, by_suffix, option
from yolojax.export.formats import FORMATS, format_of, format_options
from yolojax.export.onnx import Int8Options, OnnxOptions, onnx_interface, onnx_model, with_detections, write_onnx
from yolojax.export.onnxruntime_web import WebRuntime, read_web_runtime
from yolojax.export.opening import open_model
from yolojax.export.optional import require, require_openvino
from yolojax.export.quantization import METHOD, quantize_onnx
from yolojax.export.safetensors import read_safetensors, write_safetensors
from yolojax.export.stablehlo import stablehlo_export, write_stablehlo
from yolojax.export.suppression import Suppression
from yolojax.export.web import WebNetwork, WebOptions, check_web, web_name, web_network, write_web

__all__ = [
    "DEPLOYED",
    "FORMATS",
    "METHOD",
    "CheckpointOptions",
    "Choice",
    "CompressedInfo",
    "Deployed",
    "Facts",
    "Format",
    "Int8Options",
    "Interface",
    "Measured",
    "NoOptions",
    "OnnxOptions",
    "Option",
    "Suppression",
    "Tensor",
    "WebNetwork",
    "WebOptions",
    "WebRuntime",
    "by_suffix",
    "can_compress",
    "card_path",
    "check_web",
    "compressed_bytes",
    "darknet_interface",
    "format_of",
    "format_options",
    "load_model",
    "onnx_interface",
    "onnx_model",
    "open_model",
    "option",
    "quantize_onnx",
    "read_compressed",
    "read_deployed",
    "read_safetensors",
    "read_web_runtime",
    "require",
    "require_openvino",
    "save_darknet",
    "save_model",
    "stablehlo_export",
    "web_name",
    "web_network",
    "with_detections",
    "write_card",
    "write_compressed",
    "write_onnx",
    "write_safetensors",
    "write_stablehlo",
    "write_web",
]
