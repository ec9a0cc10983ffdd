"""What the guides tell people to run is run as it stands."""

import re
import urllib.error
from pathlib import Path
from typing import Any

import pytest
import reward_gateway.client.adapters as adapters

from tests.client.conftest import Service

GUIDES = Path(adapters.__file__).with_name("guides")


def code(guide: str, name: str) -> str:
    """The block of a guide that is a file of this name."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    found = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_every_guide_stands_in_the_table() -> None:
    table = (GUIDES.parent / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in GUIDES.glob("*.md")} == set(re.findall(r"\(guides/([\w.-]+)\)", table))


def test_the_lambda_of_amazon_nova(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    module: dict[str, Any] = {}
    exec(code("nova.md", "lambda_function.py"), module)
    handler = module["lambda_handler"]
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "a b c"}]
    monkeypatch.setenv("REWARD_URL", f"{service.url}/nova?reward=brief")
    (found,) = handler([{"id": "1", "messages": turns, "reference_answer": {"key": "value"}}], None)
    assert found == {
        "id": "1",
        "aggregate_reward_score": -1.0,
        "metrics_list": [{"name": "brevity", "value": -1.0, "type": "Reward"}],
    }
    with pytest.raises(urllib.error.HTTPError):
        handler([{"id": "1", "messages": turns[:1]}], None)
