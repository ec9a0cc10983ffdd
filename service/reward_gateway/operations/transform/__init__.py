"""Transforms: a number reshaped, sample by sample or over a stream."""
