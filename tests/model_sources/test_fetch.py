"""``models fetch``: from every kind of source, whole and checked or not at all."""

import hashlib
import io
import json
import random
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.model_sources.checksums import hash_folder
from reward_gateway.model_sources.failures import ContentRefused, SourceFailed, SourceUnusable
from reward_gateway.model_sources.fetch import STAMP, Request, fetch_model
from reward_gateway.model_sources.reader import Limits

from tests.models.convert.hub_server import HubServer

from .servers import FileServer

MODEL = {"config.pbtxt": b'name: "deberta"', "1/model.onnx": b"weights" * 5000}
CHECKPOINT = {"config.json": b"{}", "model.safetensors": b"tensors" * 9000}
QUICK = Limits(timeout_s=5.0, attempts=2)


def digest_of(files: dict[str, bytes]) -> str:
    return hash_folder({path: hashlib.sha256(content).hexdigest() for path, content in files.items()})


def sums_of(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in files.items()).encode()


def pack(files: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return buffer.getvalue()


def read_folder(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != STAMP
    }


@pytest.fixture
def server() -> Iterator[FileServer]:
    running = FileServer()
    yield running
    running.close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    running = HubServer()
    monkeypatch.setenv("HF_ENDPOINT", running.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    yield running
    running.close()


@pytest.fixture
def s3(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return server


def ask(source: str, tmp_path: Path, **more: Any) -> Request:
    return Request(source, tmp_path / "fetched", limits=QUICK, **more)


def assert_nothing_is_installed(tmp_path: Path) -> None:
    fetched = tmp_path / "fetched"
    assert [path.name for path in fetched.iterdir() if not path.name.startswith(".")] == []


class TestSources:
    def test_a_folder(self, tmp_path: Path) -> None:
        source = tmp_path / "volume" / "deberta"
        for path, content in MODEL.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        fetched = fetch_model(ask(str(source), tmp_path, kind="model", sha256=digest_of(MODEL)))
        assert fetched.folder == tmp_path / "fetched" / "deberta"
        assert read_folder(fetched.folder) == MODEL
        assert (fetched.files, fetched.sha256, fetched.was_there) == (2, digest_of(MODEL), False)
        assert (source / "config.pbtxt").exists()

    def test_an_archive_of_a_web_server(self, tmp_path: Path, server: FileServer) -> None:
        server.files["/deberta.tar.gz"] = content = pack({f"deberta/{path}": each for path, each in MODEL.items()})
        pin = hashlib.sha256(content).hexdigest()
        fetched = fetch_model(ask(f"{server.url}/deberta.tar.gz", tmp_path, kind="model", sha256=pin))
        assert (fetched.folder.name, read_folder(fetched.folder)) == ("deberta", MODEL)

    def test_a_zip(self, tmp_path: Path, server: FileServer) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, content in MODEL.items():
                archive.writestr(path, content)
        server.files["/m.zip"] = buffer.getvalue()
        fetched = fetch_model(ask(f"{server.url}/m.zip", tmp_path, allow_unpinned=True))
        assert read_folder(fetched.folder) == MODEL

    def test_a_folder_of_a_web_server_by_its_manifest(self, tmp_path: Path, server: FileServer) -> None:
        server.files |= {f"/models/deberta/{path}": content for path, content in MODEL.items()}
        server.files["/models/deberta/SHA256SUMS"] = sums_of(MODEL)
        fetched = fetch_model(ask(f"{server.url}/models/deberta/", tmp_path, allow_unpinned=True))
        assert read_folder(fetched.folder) == MODEL

    def test_an_object_store(self, tmp_path: Path, s3: FileServer) -> None:
        s3.files |= {f"/models/v1/deberta/{path}": content for path, content in MODEL.items()}
        s3.files["/models/v1/deberta-other/config.pbtxt"] = b"another model, whose name begins alike"
        fetched = fetch_model(ask("s3://models/v1/deberta", tmp_path, sha256=digest_of(MODEL)))
        assert read_folder(fetched.folder) == MODEL
        assert all("a-secret" not in each for each in s3.authorizations)
        assert any(each.startswith("AWS4-HMAC-SHA256") for each in s3.authorizations)

    def test_a_commit_of_the_hub(self, tmp_path: Path, hub: HubServer) -> None:
        commit = hub.publish("org/reward", CHECKPOINT)
        fetched = fetch_model(ask(f"hf://org/reward@{commit}", tmp_path, kind="checkpoint"))
        assert (fetched.folder.name, read_folder(fetched.folder)) == ("reward", CHECKPOINT)


class TestWhatIsRefused:
    def test_a_branch_of_the_hub_without_a_pin(self, tmp_path: Path, hub: HubServer) -> None:
        hub.publish("org/reward", CHECKPOINT)
        with pytest.raises(SourceUnusable, match="40 hex digits"):
            fetch_model(ask("hf://org/reward@main", tmp_path))
        assert read_folder(fetch_model(ask("hf://org/reward@main", tmp_path, allow_unpinned=True)).folder) == CHECKPOINT

    def test_other_content_than_was_pinned(self, tmp_path: Path, s3: FileServer) -> None:
        s3.files |= {f"/models/deberta/{path}": content for path, content in MODEL.items()}
        with pytest.raises(ContentRefused, match="--sha256 says"):
            fetch_model(ask("s3://models/deberta", tmp_path, sha256="0" * 64))
        assert_nothing_is_installed(tmp_path)

    def test_a_file_that_differs_from_the_manifest(self, tmp_path: Path, server: FileServer) -> None:
        server.files |= {f"/m/{path}": content for path, content in MODEL.items()}
        server.files["/m/SHA256SUMS"] = sums_of(MODEL | {"config.pbtxt": b"other"})
        with pytest.raises(ContentRefused, match=r"config\.pbtxt"):
            fetch_model(ask(f"{server.url}/m/", tmp_path, allow_unpinned=True))
        assert_nothing_is_installed(tmp_path)

    def test_pickles(self, tmp_path: Path, hub: HubServer) -> None:
        commit = hub.publish("org/reward", CHECKPOINT | {"pytorch_model.bin": b"a pickle"})
        request = ask(f"hf://org/reward@{commit}", tmp_path)
        with pytest.raises(ContentRefused, match="may be a pickle"):
            fetch_model(request)
        assert read_folder(fetch_model(replace(request, exclude=["*.bin"])).folder) == CHECKPOINT
        assert "pytorch_model.bin" in read_folder(fetch_model(replace(request, allow_pickle=True)).folder)

    @pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "a\\b"])
    def test_paths_that_leave_the_folder(self, tmp_path: Path, server: FileServer, path: str) -> None:
        server.files["/m.tar.gz"] = pack(MODEL | {path: b"x"})
        with pytest.raises(ContentRefused, match="outside the model's folder"):
            fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True))
        assert_nothing_is_installed(tmp_path)

    def test_links_in_archives(self, tmp_path: Path, server: FileServer) -> None:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        server.files["/m.tar.gz"] = pack(MODEL, link)
        with pytest.raises(ContentRefused, match="a link or a device"):
            fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True))

    def test_a_small_archive_of_much(self, tmp_path: Path, server: FileServer) -> None:
        server.files["/m.tar.gz"] = pack({"config.json": b"0" * 50_000_000})
        assert len(server.files["/m.tar.gz"]) < 100_000
        with pytest.raises(ContentRefused, match="when unpacked"):
            fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True, max_bytes=1_000_000))
        assert_nothing_is_installed(tmp_path)

    def test_what_is_no_model(self, tmp_path: Path, server: FileServer) -> None:
        server.files["/m.tar.gz"] = pack({"readme": b"nothing"})
        with pytest.raises(ContentRefused, match="no Triton model"):
            fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True, kind="model"))

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("ftp://host/m", "is no source"),
            ("s3://bucket", "s3://BUCKET/PREFIX"),
            ("https://user:secret@host/m", "must not have a password"),
            ("hf://", "hf://ORG/NAME@REVISION"),
        ],
    )
    def test_what_is_no_source(self, tmp_path: Path, source: str, words: str) -> None:
        with pytest.raises(SourceUnusable, match=words) as refused:
            fetch_model(ask(source, tmp_path))
        assert "secret" not in str(refused.value)

    def test_what_is_not_there(self, tmp_path: Path, s3: FileServer) -> None:
        for source in (f"{s3.url}/none", "s3://models/none", str(tmp_path / "none")):
            with pytest.raises(SourceFailed):
                fetch_model(ask(source, tmp_path, allow_unpinned=True))

    def test_a_token_goes_to_the_named_host_and_into_no_message(self, tmp_path: Path, server: FileServer) -> None:
        server.files["/m.tar.gz"], server.token = pack(MODEL), "right"
        request = ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True)
        with pytest.raises(SourceFailed, match="refuses the token") as refused:
            fetch_model(replace(request, token="wrong-token"))
        assert "wrong-token" not in str(refused.value)
        assert read_folder(fetch_model(replace(request, token="right")).folder) == MODEL


class TestTransfers:
    def test_one_that_breaks_goes_on_where_it_ended(self, tmp_path: Path, s3: FileServer) -> None:
        content = pack(MODEL | {"1/more.onnx": random.Random(1).randbytes(5_000_000)})
        s3.files |= {"/m.tar.gz": content, "/models/m/config.json": b"{}", "/models/m/model.safetensors": content}
        s3.cuts |= {"/m.tar.gz": 2, "/models/m/model.safetensors": 1}  # the first answer of the two is not read
        for source in (f"{s3.url}/m.tar.gz", "s3://models/m"):
            fetch_model(ask(source, tmp_path, allow_unpinned=True, name=f"m{len(source)}"))
        ranges = [asked for _, path, asked in s3.requests if asked and path.endswith((".gz", ".safetensors"))]
        assert len(ranges) >= 2
        assert not any(s3.cuts.values())

    def test_a_second_time_nothing_is_asked(self, tmp_path: Path, hub: HubServer) -> None:
        commit = hub.publish("org/reward", CHECKPOINT)
        request = ask(f"hf://org/reward@{commit}", tmp_path)
        fetch_model(request)
        asked = len(hub.requests)
        again = fetch_model(request)
        assert again.was_there
        assert len(hub.requests) == asked

    def test_what_was_changed_on_the_disk_is_found_and_fetched_again(self, tmp_path: Path, s3: FileServer) -> None:
        s3.files |= {f"/models/deberta/{path}": content for path, content in MODEL.items()}
        request = ask("s3://models/deberta", tmp_path)
        folder = fetch_model(request).folder
        (folder / "config.pbtxt").write_bytes(b"changed")
        assert fetch_model(request).was_there
        assert not fetch_model(replace(request, verify=True)).was_there
        assert read_folder(folder) == MODEL

    def test_what_an_attempt_left_by_half_is_not_taken_for_a_model(self, tmp_path: Path, server: FileServer) -> None:
        work = tmp_path / "fetched" / ".m.part"
        (work / "content").mkdir(parents=True)
        (work / "key").write_text("of another source")
        (work / "content" / "stray").write_text("x")
        server.files["/m.tar.gz"] = pack(MODEL)
        fetched = fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True))
        assert read_folder(fetched.folder) == MODEL
        assert not work.exists()

    def test_pods_that_share_a_cache_fetch_a_model_once(self, tmp_path: Path, s3: FileServer) -> None:
        s3.files |= {f"/models/deberta/{path}": content for path, content in MODEL.items()}
        found: list[bool] = []

        def fetch(pod: int) -> None:
            into = tmp_path / f"pod-{pod}"
            fetched = fetch_model(Request("s3://models/deberta", into, cache=tmp_path / "cache", limits=QUICK))
            assert (into / "deberta").is_symlink()
            assert read_folder(fetched.folder) == MODEL
            found.append(fetched.was_there)

        pods = [threading.Thread(target=fetch, args=(pod,)) for pod in range(4)]
        for pod in pods:
            pod.start()
        for pod in pods:
            pod.join()
        assert sorted(found) == [False, True, True, True]
        assert len([path for method, path, _ in s3.requests if method == "GET" and path.endswith("model.onnx")]) == 1

    def test_a_copy_needs_no_cache_afterwards(self, tmp_path: Path, s3: FileServer) -> None:
        s3.files |= {f"/models/deberta/{path}": content for path, content in MODEL.items()}
        fetched = fetch_model(ask("s3://models/deberta", tmp_path, cache=tmp_path / "cache", copy=True))
        assert not fetched.folder.is_symlink()
        assert read_folder(fetched.folder) == MODEL


def test_progress_is_told_by_file(tmp_path: Path, server: FileServer) -> None:
    server.files["/m.tar.gz"] = content = pack(MODEL)
    told: list[tuple[str, int, int | None]] = []
    fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True), lambda *each: told.append(each))
    assert ("m.tar.gz", len(content), len(content)) in told


def test_the_stamp_says_what_is_there(tmp_path: Path, server: FileServer) -> None:
    server.files["/m.tar.gz"] = pack(MODEL)
    fetched = fetch_model(ask(f"{server.url}/m.tar.gz", tmp_path, allow_unpinned=True))
    stamp = json.loads((fetched.folder / STAMP).read_text())
    assert (stamp["source"], stamp["files"]) == (f"{server.url}/m.tar.gz", 2)
    assert all(path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644) for path in fetched.folder.rglob("*"))
