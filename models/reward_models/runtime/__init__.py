"""Scorers for Triton's Python backend: rows to tokens or pixels, an ONNX graph, a head, scores."""
