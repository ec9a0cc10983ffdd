"""Every path and every dialect is in the reference, and a key needs the right that stands there."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from reward_gateway.http import dialects, routes
from reward_gateway.http.dialects.dialect import DIALECTS
from reward_gateway.http.routing import found_routes

from tests.documents import read_table
from tests.http.conftest import serving

Read = Callable[[str], str]
COLUMNS = ("path", "method", "rights", "what it does")
RIGHTS = ("score", "state", "admin")
KEYS = "keys:\n" + "".join(f"  - {{name: {right}, key: key-of-{right}, rights: [{right}]}}\n" for right in RIGHTS)


def rows(page: str) -> dict[tuple[str, str], list[str]]:
    return {(row[0].strip("`"), row[1]): row for row in read_table(page, *COLUMNS)}


def test_every_route_has_a_row(read_page: Read) -> None:
    found = rows(read_page("http_api"))
    served = {
        (route.path_format, method)
        for route in found_routes(routes, dialects)
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods or ()
    }
    plain = {(re.sub(r":\w+}", "}", path), method) for path, method in served}
    assert set(found) == plain
    assert len(found) > 200
    assert all(row[3] for row in found.values())


@pytest.mark.anyio
async def test_a_key_with_a_lesser_right_is_refused(read_page: Read, tmp_path: Path) -> None:
    """Every path, with a key for each right: it is refused without the documented rights, and only then."""
    file = tmp_path / "keys.yaml"
    file.write_text(KEYS)
    file.chmod(0o600)
    async with serving(api_keys_file=file) as served:
        for (path, method), row in rows(read_page("http_api")).items():
            needed = {right.strip("`") for right in row[2].split(" and ")} - {"none"}
            if path.endswith(("/events", "/ws")) or path == "/v1/jobs":
                continue
            address = re.sub(r"{\w+}", "x", path.replace("{kind}/{name}", "score/exact"))
            for right in RIGHTS:
                headers = {"Authorization": f"Bearer key-of-{right}", "X-Reward-Gateway": "1"}
                answer = await served.client.request(method, address, headers=headers)
                enough = right == "admin" or needed <= {right}
                refused = "lacks the right" in answer.text  # in the form and with the status of each API
                assert refused is not enough, (method, address, right, answer.text)
            if needed:
                answer = await served.client.request(method, address, headers={"X-Reward-Gateway": "1"})
                assert "send an API key" in answer.text, address


def test_every_dialect_has_a_section_with_its_paths_and_its_policy(read_page: Read) -> None:
    page = read_page("dialects")
    assert len(DIALECTS) > 20
    for dialect in DIALECTS.values():
        policy = dialect.policy
        text = page.partition(f"\n## {policy.title}\n")[2].partition("\n## ")[0]
        assert text, policy.title
        for path in set(dialect.paths):
            assert f"`{path}`" in text, path
        assert f"`{policy.on_invalid}`: " in text
        assert all(client in text for client in policy.clients)
        assert ("one sample per request" in text) is policy.one_sample


def test_bodies_are_described_by_their_keys(read_page: Read) -> None:
    page = read_page("dialects").partition("\n## OpenRLHF\n")[2].partition("\n## ")[0]
    row = next(line for line in page.splitlines() if "`/openrlhf/get_reward`" in line)
    assert "`query` (required), `prompts`, `labels`, `reward`, `model`" in row
