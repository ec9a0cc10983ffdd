"""The built-in pairs: a prompt, a good and a plainly worse response, and a reference where there is one answer."""

from pathlib import Path

PAIRS = Path(__file__).with_name("pairs.jsonl")
"""100 pairs in the layout of RewardBench: prompt, chosen, rejected, subset, id; 80 have a reference."""
