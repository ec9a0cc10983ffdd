"""Samples that are kept after their answer, where the operator switched that on: to look at, mark, and export."""
