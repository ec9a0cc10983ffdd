"""Bring your own model: a checkpoint of ``transformers`` becomes a folder of the model repository.

The graph is exported to ONNX, tokeniser, template and image processing are written down for a runtime without torch,
and the folder that results is scored against torch before it is published. Needs torch and transformers, which
serving never does.
"""

from reward_models.convert.errors import Refused
from reward_models.convert.options import KINDS, Options

__all__ = ["KINDS", "Options", "Refused"]
