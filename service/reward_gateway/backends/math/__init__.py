"""Compares a response with a reference as mathematics, in separate processes."""
