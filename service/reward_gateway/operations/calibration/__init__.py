"""Calibrations: what scores mean, fitted once on known points and applied to every later score."""
