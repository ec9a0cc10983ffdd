"""The judges file: what it says, what it must not hold, and that no fault repeats a value."""

from pathlib import Path

import pytest
from reward_gateway.backends.judges.config import JudgesFileError, load_judges


def written(folder: Path, text: str) -> Path:
    file = folder / "judges.yaml"
    file.write_text(text)
    return file


def test_no_file_is_no_judges() -> None:
    assert load_judges(None) == []


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://h:8000", "http://h:8000/v1/chat/completions"),
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/", "https://h/v1/chat/completions"),
        ("https://h/judges/v1/", "https://h/judges/v1/chat/completions"),
        ("http://h/v1beta/openai", "http://h/v1beta/openai/chat/completions"),
        ("http://h/api/paas/v4", "http://h/api/paas/v4/chat/completions"),
        ("http://h/openai/d?api-version=2024-10-21", "http://h/openai/d/chat/completions?api-version=2024-10-21"),
    ],
)
def test_an_address_with_a_path_is_used_as_it_stands(tmp_path: Path, base: str, url: str) -> None:
    (judge,) = load_judges(written(tmp_path, f"judges: [{{name: a, base_url: '{base}', model: m}}]"))
    assert judge.chat_urls == [url]
    assert (judge.temperature, judge.retries, judge.api_key()) == (0.0, 3, None)


def test_replicas_have_an_address_each(tmp_path: Path) -> None:
    (judge,) = load_judges(written(tmp_path, "judges: [{name: a, model: m, urls: ['http://h', 'http://i/v1']}]"))
    assert judge.chat_urls == ["http://h/v1/chat/completions", "http://i/v1/chat/completions"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("judges: [", "cannot be read"),
        ("judges: " + "9" * 5000, "cannot be read"),
        ("judges: " + "[" * 100_000, "cannot be read"),
        ("judges: 2001-13-45", "cannot be read"),
        ("judges: []\njudges: []", "line 2 holds a key that its mapping has already"),
        ("judges:\n- {a: ]", "line 2 is not YAML"),
        ("- a", "one list named judges"),
        ("judges: [{name: a, base_url: 'ftp://h', model: m}]", r"judges\[0\].base_url: .*http"),
        ("judges: [{name: a, base_url: 'file:///etc/passwd', model: m}]", r"judges\[0\].base_url"),
        ("judges: [{name: a, base_url: 'http://user:secret@h', model: m}]", r"judges\[0\].base_url: .*no user"),
        ("judges: [{name: a, base_url: 'http://h?key=secret', model: m}]", r"judges\[0\].base_url: .*api-version"),
        ("judges: [{name: a, base_url: 'http://h', model: m, api_key: secret}]", r"judges\[0\].api_key"),
        ("judges: [{name: a, base_url: 'http://h', model: m, rate: often}]", r"judges\[0\].rate"),
        (
            "judges: [{name: a, base_url: 'http://h', model: m, extra: {messages: []}}]",
            r"judges\[0\].extra: .*messages",
        ),
        ("judges: [{name: a, model: m}]", r"judges\[0\]: .*base_url, or several by urls"),
        ("judges: [{name: a, model: m, base_url: 'http://h', urls: ['http://i']}]", r"judges\[0\]: .*one of them"),
        ("judges: [{name: a, model: m, urls: ['http://h', 'ftp://secret']}]", r"judges\[0\].urls: .*http://host"),
        ("judges: [{name: a, model: m, urls: ['http://h', 'http://h/v1']}]", r"judges\[0\].urls: .*address twice"),
        ("judges: [{name: a, model: m, base_url: 'http://h', hedge: true}]", r"judges\[0\]: .*another replica"),
        ("judges: [{name: a, model: m, urls: ['http://h'], hedge: true}]", r"judges\[0\]: .*another replica"),
        (
            "judges: [{name: a, model: m, urls: ['http://h', 'http://i'], hedge: true, temperature: null}]",
            r"judges\[0\]: .*hedge needs a temperature",
        ),
        ("judges: [{name: a, base_url: 'http://h', model: m}, {name: a, base_url: 'http://h', model: m}]", "share"),
    ],
)
def test_every_fault_has_its_place_and_no_fault_repeats_a_value(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(JudgesFileError, match=fault) as raised:
        load_judges(written(tmp_path, text))
    assert "secret" not in str(raised.value)


def test_a_key_is_read_from_the_environment_and_its_lack_is_a_fault(tmp_path: Path) -> None:
    file = written(tmp_path, "judges: [{name: a, base_url: 'http://h', model: m, api_key_env: K}]")
    (judge,) = load_judges(file)
    key = judge.api_key({"K": "sesame"})
    assert key is not None
    assert "sesame" not in repr(key)
    with pytest.raises(JudgesFileError, match="K is empty"):
        judge.api_key({})
