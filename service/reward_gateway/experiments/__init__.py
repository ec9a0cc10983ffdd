"""Compares two versions of a model on live traffic, after the answer and without changing it."""
