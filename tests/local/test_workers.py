"""Settings travel to the workers as environment, and read back as they were."""

import os
import shutil
import socket
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from reward_gateway.local import workers
from reward_gateway.local.errors import StackError
from reward_gateway.local.workers import metrics_folder, settings_environment, worker_children
from reward_gateway.settings import RunLimits, Settings


def test_settings_read_back_as_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(
        http_port=0, models=("a", "b"), api_keys_file=tmp_path / "keys", media_urls=True, cache_ttl_s=1.5,
        otlp_endpoint=SecretStr("http://collector:4317"), redis_url="redis://h:1/0", rate_limit=None,
        dialect_failures={"unirl": "error", "openrlhf": -1.0}, run_alert_url="http://h/alerts",
        run_alerts={"math": RunLimits(mean=(0.0, 0.9)), "*": RunLimits(zero_variance_share=0.8)},
        run_alert_secret=SecretStr("secret"),
    )  # fmt: skip
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_only_what_differs_from_the_default_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("REWARD_GATEWAY_")]:
        monkeypatch.delenv(name)
    assert settings_environment(Settings(http_port=9000)) == {"REWARD_GATEWAY_HTTP_PORT": "9000"}


def free(monkeypatch: pytest.MonkeyPatch, memory: Path, bytes_by_place: dict[Path, int]) -> None:
    """Let places have so many free bytes."""
    monkeypatch.setattr(workers, "_MEMORY", memory)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=bytes_by_place[folder.parent]))


def test_shared_metrics_are_kept_in_memory_or_else_on_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    memory, disk = tmp_path / "memory", tmp_path / "disk"
    memory.mkdir()
    disk.mkdir()
    enough = 2 << 20
    free(monkeypatch, memory, {memory: enough, disk: enough})
    with metrics_folder(2, disk) as folder:
        assert folder.parent == memory
    free(monkeypatch, memory, {memory: enough - 1, disk: enough})
    with metrics_folder(2, disk) as folder:
        assert folder.parent == disk
    free(monkeypatch, memory, {memory: 0, disk: 0})
    with pytest.raises(StackError, match="no room for metrics"), metrics_folder(2, disk):
        pytest.fail("it was made")


@pytest.mark.parametrize("was_ready", [False, True])
def test_the_counters_of_a_worker_that_has_ended_stay_unless_it_never_worked(tmp_path: Path, was_ready: bool) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as http:
        (worker,) = worker_children(Settings(workers=1), http, tmp_path)
    counters, gauges, others = tmp_path / "counter_7.db", tmp_path / "gauge_livesum_7.db", tmp_path / "counter_8.db"
    for file in (counters, gauges, others):
        file.touch()
    worker.clean_up(7, was_ready)
    assert {*tmp_path.iterdir()} == ({counters, others} if was_ready else {others})
