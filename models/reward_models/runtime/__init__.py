"""What runs inside Triton's Python backend: rows in, tokens or pixels, an ONNX graph, a head, scores out."""
