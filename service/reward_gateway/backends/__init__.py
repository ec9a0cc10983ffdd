"""Scores from outside: models on Triton, OpenAI-compatible judges. One port, small adapters."""
