"""Metrics, logs and traces, with closed label sets and no text of any sample."""
