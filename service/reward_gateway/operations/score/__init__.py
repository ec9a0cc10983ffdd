"""Scores: a number from what the sample itself carries."""
