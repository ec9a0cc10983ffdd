"""Engines that run a checkpoint as it is, too large for ONNX Runtime or no graph: torch, and vLLM.

Each is a process (``python -m reward_models.convert.engines NAME``) in an environment of its own, started by
:mod:`reward_models.runtime.engine`: the model in Triton reads conversations into tokens, and the engine gives numbers.
"""
