"""The reward models: what runs inside Triton, and what builds it."""
