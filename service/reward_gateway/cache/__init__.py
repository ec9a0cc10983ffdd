"""Cached raw scores: keys, Redis, the in-process level. A broken cache costs a model call, never a wrong score."""
