"""The troubleshooting page quotes messages that exist, and leaves out no code and no check of ``doctor``."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import reward_gateway
from reward_gateway.backends.upstreams.activation import explain_activation
from reward_gateway.cli.doctor.check import MACHINE, SERVICE
from reward_gateway.cli.doctor.checks import load_all
from reward_gateway.errors import InvalidRecipe, error_table
from reward_gateway.local.errors import StackError
from reward_gateway.local.ports import open_listener
from reward_gateway.recipes.book import load_book
from reward_gateway.sample import InvalidCode
from reward_gateway.settings import Settings
from reward_gateway.traffic.keys import UnsafeExposure, check_exposure

from tests.documents import read_table
from tests.http.conftest import serving

PACKAGE = Path(reward_gateway.__file__).parent
PAGE = (PACKAGE / "guide/pages/troubleshooting.md").read_text()


def quoted(kind: str) -> list[str]:
    """What is quoted behind **Message**, **Code** or **Flag**, on one line each."""
    found = []
    for paragraph in PAGE.split("\n\n"):
        for part in re.split(r"(?=\*\*(?:Message|Code|Flag)\*\*: )", " ".join(paragraph.split())):
            if part.startswith(f"**{kind}**: "):
                found += re.findall(r"`([^`]+)`", part)
    return found


@cache
def constants() -> str:
    """Every text in the package's code, one after the other."""
    texts: list[str] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\0".join(texts)


MESSAGES = quoted("Message")


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_written_in_the_code(message: str) -> None:
    parts = [part.strip(" .:'(),") for part in message.split("…")]
    parts = [part for part in parts if len(part) > 2]
    assert parts
    for part in parts:
        assert part in constants() or all(words in constants() for words in re.split(r"`|\bno more\b", part)), part


def test_there_are_many_messages() -> None:
    assert len(MESSAGES) > 50


@pytest.mark.parametrize("code", [kind.code for kind in error_table()] + list(get_args(InvalidCode)))
def test_every_code_has_an_entry_or_stands_in_the_list_of_others(code: str) -> None:
    others = PAGE.partition("## Codes without an entry of their own")[2]
    assert (code in quoted("Code")) is not (f"`{code}`" in others), code
    assert "reference/errors.md" in others


def test_every_quoted_code_and_flag_exists() -> None:
    assert set(quoted("Code")) <= {kind.code for kind in error_table()} | set(get_args(InvalidCode))
    for setting in re.findall(r"`--(?:no-)?([a-z-]+)", PAGE):
        known = {"url", "data", "judges", "shm-size", "reward", "offline", "accept-reset"}
        assert setting.replace("-", "_") in Settings.model_fields or setting in known, setting


def test_every_check_of_doctor_has_a_row() -> None:
    load_all()
    rows = {row[0].strip("`"): row for row in read_table(PAGE, "check", "of", "it looks at", "see")}
    machine, service = {check.name for check in MACHINE}, {check.name for check in SERVICE}
    assert set(rows) == machine | service
    for name, row in rows.items():
        expected = "both" if name in machine & service else "this machine" if name in machine else "a service"
        assert row[1] == expected, name


def test_links_to_headings_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```$", "", PAGE, flags=re.M | re.S), flags=re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for anchor in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert anchor in anchors, anchor


def says(message: str) -> bool:
    """Whether the page quotes a message."""
    message = " ".join(message.split())
    for quote in MESSAGES:
        pattern = ".*".join(re.escape(part) for part in quote.split("…"))
        if re.search(pattern, message.replace("`", "")):
            return True
    return False


SAMPLE = {"prompt": "p", "response": "r"}
REFUSED: list[tuple[dict[str, Any], dict[str, Any], dict[str, str], str]] = [
    ({}, {"reward": "nobody", "samples": [SAMPLE]}, {}, "not_found"),
    ({"max_samples": 1}, {"samples": [SAMPLE, SAMPLE]}, {}, "too_large"),
    ({"max_text_chars": 3}, {"samples": [{**SAMPLE, "response": "long"}]}, {}, "too_large"),
    ({}, {"samples": [SAMPLE]}, {"Host": "elsewhere.example.org"}, "permission_denied"),
    ({}, {"samples": [SAMPLE]}, {"Origin": "http://evil.example.org"}, "permission_denied"),
    ({"api_keys_file": "keys"}, {"samples": [SAMPLE]}, {}, "unauthenticated"),
    ({"api_keys_file": "keys"}, {"samples": [SAMPLE]}, {"Authorization": "Bearer stray-key"}, "unauthenticated"),
    (
        {"rate_limit": "1/hour", "api_keys_file": "keys"},
        {"samples": [SAMPLE]},
        {"X-Api-Key": "key-of-trainer"},
        "rate_limited",
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("settings", "body", "headers", "code"), REFUSED, ids=lambda value: str(value)[:40])
async def test_a_refusal_is_quoted_as_it_comes(
    settings: dict[str, Any], body: dict[str, Any], headers: dict[str, str], code: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text("keys: [{name: trainer, key: key-of-trainer}]")
    keys.chmod(0o600)
    settings = {name: keys if value == "keys" else value for name, value in settings.items()}
    async with serving(**settings) as served:
        for _ in range(2):  # the second is over a rate of one
            answer = await served.score(body, headers=headers)
        error = answer.json()["error"]
    assert error["code"] == code
    assert says(error["message"]), error["message"]


COMPARES = """
rewards:
  grouped:
    components: {quality: {score: letters}}
    group: {normalize: zscore}
  reads: {components: {exact: {score: exact_match}}}
"""


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"reward": "grouped", "samples": [SAMPLE]}, "group_of_one"),
        ({"reward": "grouped", "samples": [{"prompt": "p"}]}, "missing_field"),
        ({"reward": "reads", "samples": [SAMPLE]}, "missing_field"),
    ],
)
async def test_a_reason_of_a_sample_is_quoted_as_it_comes(body: dict[str, Any], code: str) -> None:
    async with serving(recipes=COMPARES) as served:
        (result,) = (await served.score(body)).json()["results"]
    assert result["error"]["code"] == code
    assert says(result["error"]["message"]), result["error"]["message"]


@pytest.mark.anyio
async def test_a_gateway_that_shuts_down_says_what_is_quoted() -> None:
    async with serving() as served:
        served.traffic.drain.begin()
        error = (await served.score({"samples": [SAMPLE]})).json()["error"]
    assert error["code"] == "draining"
    assert says(error["message"])


def test_starts_that_fail_say_what_is_quoted() -> None:
    with pytest.raises(UnsafeExposure) as exposed:
        check_exposure(Settings(http_host="0.0.0.0"))
    assert says(str(exposed.value))
    with open_listener("127.0.0.1", 0, "http_port") as held, pytest.raises(StackError) as taken:
        open_listener("127.0.0.1", held.getsockname()[1], "http_port")
    assert says(str(taken.value))


def test_a_faulty_recipe_says_what_is_quoted() -> None:
    with pytest.raises(InvalidRecipe) as refused:
        load_book("rewards: {a: {components: {b: {score: length_penalty, parms: {}}}}}")
    assert all(says(fault["message"]) for fault in refused.value.faults), refused.value.faults


def test_an_activation_that_is_not_what_is_wanted_is_quoted() -> None:
    within = np.array([[0.2], [0.7]])
    raw = np.array([[-3.0], [4.0]])
    for why in (explain_activation("none", within, within), explain_activation("sigmoid", raw, raw)):
        assert says(why), why
