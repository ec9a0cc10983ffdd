"""Metrics, logs and traces of the gateway. They hold numbers, names and reasons, never text from samples."""
