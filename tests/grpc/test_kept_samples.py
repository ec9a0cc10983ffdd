"""Samples that come over gRPC are kept as those over HTTP are, but none of a key that is exempt."""

from pathlib import Path
from typing import Any

import pytest
from reward_gateway.kept_samples.keeper import Filters, SampleKeeper
from reward_gateway.kept_samples.store import Bounds
from reward_gateway.proto import reward_pb2 as pb

pytestmark = pytest.mark.anyio

KEYS = """
keys:
  - {name: alice, key: alice-secret}
  - {name: quiet, key: quiet-secret, keep_samples: false}
"""


@pytest.mark.parametrize("more", [(), (("x-run", "r"), ("x-run-step", "3"))])
async def test_a_key_may_be_exempt(serve: Any, tmp_path: Path, more: tuple[tuple[str, str], ...]) -> None:
    file = tmp_path / "keys.yaml"
    file.write_text(KEYS)
    file.chmod(0o600)
    async with serve(api_keys_file=file) as served:
        keeper = served.gateway.samples = SampleKeeper.in_process(Bounds(100, 1 << 20, 60.0))
        for key in ("alice", "quiet"):
            request = pb.ScoreRequest(samples=[pb.Sample(prompt="p", response="abc")])
            await served.stub.Score(request, metadata=(("x-api-key", f"{key}-secret"), *more))
        page = await keeper.list_page(Filters(), "newest", None, 10)
        kept = [(sample["caller"], sample["run"], sample["step"]) for sample in page.samples]
        assert kept == [("alice", "r", 3) if more else ("alice", "", None)]
