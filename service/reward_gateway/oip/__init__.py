"""The Open Inference Protocol v2, as HTTP and gRPC share it: recipes as models, tensors, statistics, Triton behind."""
