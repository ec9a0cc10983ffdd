"""State of one server moves to a Cluster with ``redis-cli --cluster import``, as the guide says."""

import subprocess
from pathlib import Path

import pytest
from reward_gateway.redis_servers.address import Access, parse_address
from reward_gateway.state.jobs import JobLimits, NewJob
from reward_gateway.state.namespace import Namespace
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

from .conftest import RULES
from .servers import ADMIN, start_cluster, start_single

pytestmark = pytest.mark.anyio

SPACE = Namespace("alice", "run-1")
ACCESS = Access(*ADMIN)


async def test_state_and_jobs_of_one_server_are_read_from_the_cluster_that_imported_them(tmp_path: Path) -> None:
    (tmp_path / "single").mkdir()
    single = start_single(tmp_path / "single", RULES)
    cluster = start_cluster(tmp_path, RULES, None)
    try:
        before = StateStore.connect(parse_address(f"redis://127.0.0.1:{single.port}").opened_by(ACCESS), 30.0)
        await before.commit(StateWrites(SPACE).merge_moments("m", 3.0, 5.0, 0.0))
        await before.within(SPACE).labels.put("l", {"hello": 1.0})
        new = NewJob("alice", "job-1", b"head", 1, [b"piece"], run="run-1", queue=True)
        await before.jobs.submit(new, JobLimits())
        await before.close()

        node = cluster.members[0]
        done = subprocess.run(
            ["redis-cli", "--user", ADMIN[0], "--pass", ADMIN[1], "--cluster", "import", f"127.0.0.1:{node.port}",
             "--cluster-from", f"127.0.0.1:{single.port}", "--cluster-from-user", ADMIN[0], "--cluster-from-pass",
             ADMIN[1], "--cluster-copy"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

        after = StateStore.connect(parse_address(cluster.settings["url"]).opened_by(ACCESS), 30.0)
        assert (await after.within(SPACE).moments.read("m"))[0] == 3.0
        assert await after.within(SPACE).labels.list_pending("l") == []
        taken = await after.jobs.take("worker", 60.0)
        assert taken is not None
        assert (taken.tenant, taken.job, taken.input) == ("alice", "job-1", b"piece")
        await after.close()
    finally:
        single.kill()
        cluster.stop()
