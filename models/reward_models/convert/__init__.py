"""Bring your own model: convert a checkpoint of ``transformers`` into a folder of the model repository.

The graph is exported to ONNX; tokeniser, template and image settings are saved for a runtime without torch; and the
scores of the resulting folder are compared with torch before it is published. Needs torch and transformers, which
serving does not.
"""

from reward_models.convert.errors import Refused
from reward_models.convert.options import KINDS, Options

__all__ = ["KINDS", "Options", "Refused"]
