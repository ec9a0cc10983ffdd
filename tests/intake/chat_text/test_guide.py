"""The guide lists every format."""

from pathlib import Path

from reward_gateway.client import adapters
from reward_gateway.intake.chat_text.recognition import CHOICES


def test_every_format_has_its_place_in_the_guide() -> None:
    guide = (Path(adapters.__file__).parent / "guides" / "chat_text.md").read_text("utf-8")
    assert [name for name in CHOICES if f"`{name}`" not in guide] == []
