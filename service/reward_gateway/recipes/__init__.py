"""Recipes: the schema of rewards.yaml, its compilation to a plan, and the evaluation of a plan."""
