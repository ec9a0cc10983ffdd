"""Reward models on NVIDIA Triton."""
