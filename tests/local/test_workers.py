"""Settings travel to the workers as environment, and read back as they were."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr
from reward_gateway.local.workers import settings_environment
from reward_gateway.settings import Settings


def test_settings_read_back_as_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        http_port=0, models=("a", "b"), api_keys_file=tmp_path / "keys", media_urls=True, cache_ttl_s=1.5,
        otlp_endpoint=SecretStr("http://collector:4317"), redis_url="redis://h:1/0", rate_limit=None,
    )  # fmt: skip
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_only_what_differs_from_the_default_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("REWARD_GATEWAY_")]:
        monkeypatch.delenv(name)
    assert settings_environment(Settings(http_port=9000)) == {"REWARD_GATEWAY_HTTP_PORT": "9000"}
