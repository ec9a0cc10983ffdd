"""The Open Inference Protocol on HTTP: JSON and binary tensors to the protocol's messages, and back."""
