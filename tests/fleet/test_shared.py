"""What gateways share: cohorts, rates, budgets, cached scores, and the same answers to groups."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.chaos.conftest import GiveVerdict
from tests.chaos.verdicts import at_least, at_most, exactly
from tests.fleet.fleet import Fleet

pytestmark = pytest.mark.anyio

RATE, BUDGET = 60, 300
KEYS = f"""
keys:
  - {{name: limited, key: "the limited key", rate: "{RATE}/hour"}}
  - {{name: first, key: "the first key", tenant: team, budget: {BUDGET}}}
  - {{name: second, key: "the second key", tenant: team}}
  - {{name: boss, key: "the key of the boss", rights: [score, state, admin]}}
"""


def make_sample(response: str, mine: float = 0.0, prompt: str = "p") -> dict[str, Any]:
    return {"prompt": prompt, "response": response, "features": {"mine": mine}}


async def score(url: str, reward: str, samples: list[dict[str, Any]], key: str = "") -> httpx.Response:
    """One request over a connection of its own, so that the balancer may give it to any gateway."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(timeout=120, trust_env=False, headers=headers) as client:
        return await client.post(f"{url}/v1/score", json={"reward": reward, "samples": samples})


async def test_samples_of_a_prompt_meet_whichever_gateway_each_is_sent_to(four: Fleet, verdict: GiveVerdict) -> None:
    async def ask(prompt: int, member: int) -> float:
        answer = await score(four.http, "compared", [make_sample("r", 3.0 * prompt + member, f"prompt {prompt}")])
        assert answer.status_code == 200, answer.text
        reward: float = answer.json()["results"][0]["reward"]
        return reward

    rewards = await asyncio.gather(*(ask(prompt, member) for prompt in range(30) for member in range(4)))
    alone = await score(four.address(0), "alone", [make_sample("r", float(member)) for member in range(4)])
    expected = [result["reward"] for result in alone.json()["results"]]
    wrong = sum(abs(got - want) > 1e-9 for got, want in zip(rewards, itertools.cycle(expected), strict=False))
    verdict(f"rewards of {len(rewards)} other than one gateway's", wrong, exactly(0))
    assert four.balancer is not None
    used = sum(count > 0 for count in four.balancer.count_requests().values())
    verdict("gateways that took part", used, exactly(4))


async def test_a_group_gets_the_same_answer_from_every_gateway(four: Fleet, verdict: GiveVerdict) -> None:
    group = [make_sample("a" * length) for length in (1, 5, 9, 30)]
    answers = [(await score(four.address(n), "grouped", group)).json() for n in range(4)]
    rewards = {tuple(result["reward"] for result in answer["results"]) for answer in answers}
    verdict("different answers of four gateways", len(rewards), exactly(1))


async def test_scores_that_one_gateway_cached_are_hits_in_the_others(four: Fleet, verdict: GiveVerdict) -> None:
    samples = [make_sample(f"cached {number}") for number in range(64)]
    first = (await score(four.address(0), "model", samples)).json()["usage"]
    rows = four.count_rows(0) + four.count_rows(1)
    await asyncio.sleep(0.5)  # scores are written after the answer
    hits = [(await score(four.address(n), "model", samples)).json()["usage"]["cache_hits"] for n in (1, 2, 3)]
    verdict("misses of the first gateway, of 64", first["cache_misses"], exactly(64))
    verdict("hits of each other gateway, of 64", min(hits), exactly(64))
    verdict("rows computed again", four.count_rows(0) + four.count_rows(1) - rows, exactly(0))


async def test_replicas_of_a_model_share_its_rows(four: Fleet, verdict: GiveVerdict) -> None:
    before = [four.count_rows(0), four.count_rows(1)]
    await asyncio.gather(
        *(score(four.http, "model", [make_sample(f"row {n} {k}") for k in range(8)]) for n in range(60))
    )
    computed = [four.count_rows(n) - before[n] for n in (0, 1)]
    verdict("rows of 480 that were computed", sum(computed), exactly(480))
    verdict("of these, by the Triton that was asked less", min(computed), at_least(120))


@pytest.fixture(scope="module")
def keyed(fleet: Fleet) -> Fleet:
    """Four gateways with keys."""
    file = fleet.folder / "keys.yaml"
    file.write_text(KEYS)
    file.chmod(0o600)
    fleet.start_gateways(4, api_keys_file=file, allow_unauthenticated=False)
    return fleet


async def test_a_rate_is_kept_by_all_gateways_together(keyed: Fleet, verdict: GiveVerdict) -> None:
    answers = await asyncio.gather(
        *(score(keyed.address(n % 4), "rule", [make_sample("a")], "the limited key") for n in range(2 * RATE))
    )
    statuses = Counter(answer.status_code for answer in answers)
    verdict(f"requests answered of {2 * RATE}, with a rate of {RATE}", statuses[200], exactly(RATE))
    verdict("requests refused with 429", statuses[429], exactly(RATE))


async def test_a_budget_is_spent_exactly_over_all_gateways(keyed: Fleet, verdict: GiveVerdict) -> None:
    samples = [make_sample(f"a {n}") for n in range(7)]
    keys = ("the first key", "the second key")
    answers = await asyncio.gather(
        *(score(keyed.address(n % 4), "rule", samples, keys[n % 2]) for n in range(80)),
    )
    accepted = sum(answer.status_code == 200 for answer in answers)
    codes = {answer.json()["error"]["code"] for answer in answers if answer.status_code == 429}
    verdict(f"samples accepted of {80 * 7}, with a budget of {BUDGET}", 7 * accepted, exactly(BUDGET - BUDGET % 7))
    assert codes == {"over_budget"}
    rest = await score(keyed.address(2), "rule", samples[: BUDGET % 7], keys[0])
    more = await score(keyed.address(3), "rule", samples[:1], keys[1])
    verdict("samples accepted in the end", 7 * accepted + (BUDGET % 7) * (rest.status_code == 200), exactly(BUDGET))
    verdict("status of one sample more", more.status_code, exactly(429))
    await asyncio.sleep(2.5)  # usage is added every second
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        headers = {"Authorization": "Bearer the key of the boss"}
        usage = (await client.get(f"{keyed.address(1)}/v1/usage", headers=headers)).json()
    told = sum(row["samples"] for row in usage["rows"] if row["tenant"] == "team")
    verdict("samples of the team in GET /v1/usage", told, exactly(BUDGET))
    verdict("seconds until the budget begins anew", usage["budgets"][0]["resets_in_s"], at_most(86_400))
