"""Combiners: one reward made of several."""
