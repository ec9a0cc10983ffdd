"""What a page of another site tries: a function of the gateway's address, to be run in the page."""

from pathlib import Path

ATTACKS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
