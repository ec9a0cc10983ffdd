"""Attacks on a reward: rejected responses rewritten, and how often that makes the service reward them. Pure: no I/O.

``attacks.yaml`` holds the attacks and ``pairs.jsonl`` pairs to try them on; ``recipe`` tells which a recipe can read;
``trials`` lists what is to be scored, and ``findings`` turns the scores into shares, intervals and verdicts.
"""
