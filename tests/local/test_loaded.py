"""What the embedded Triton is to serve when it starts again."""

import threading
from pathlib import Path

from reward_gateway.admin.loaded_models import LoadedModels


def test_what_is_loaded_and_unloaded_while_it_runs_is_kept(tmp_path: Path) -> None:
    loaded = LoadedModels(tmp_path)
    loaded.write(["a", "b"])
    loaded.add("c")
    loaded.add("a")
    loaded.remove("b")
    loaded.remove("never")
    assert LoadedModels(tmp_path).read() == ["a", "c"]


def test_a_gateway_without_an_embedded_server_keeps_nothing(tmp_path: Path) -> None:
    loaded = LoadedModels(tmp_path / "absent")
    loaded.add("a")
    assert loaded.read() == []
    assert not (tmp_path / "absent").exists()


def test_several_gateways_lose_none_of_each_others(tmp_path: Path) -> None:
    LoadedModels(tmp_path).write([])
    threads = [threading.Thread(target=LoadedModels(tmp_path).add, args=(f"m{i}",)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(LoadedModels(tmp_path).read()) == sorted(f"m{i}" for i in range(20))
