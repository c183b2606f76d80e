"""Networks that others made: ONNX files, and torch modules that can be taken apart."""

from satcore.outside.modules import LogitsOnly, from_module
from satcore.outside.onnx_files import MOST_BYTES, from_onnx, from_onnx_bytes

__all__ = ["MOST_BYTES", "LogitsOnly", "from_module", "from_onnx", "from_onnx_bytes"]
