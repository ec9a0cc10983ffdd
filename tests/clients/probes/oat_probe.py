"""oat: its remote oracle, asked for rewards, and for preferences that have to agree with them."""

import sys

from run import Call, import_alone

RemoteRMOracle = import_alone("oat.oracles.remote.client").RemoteRMOracle

PACKAGE = "oat-llm"


def score(call: Call) -> list[float | None]:
    oracle = RemoteRMOracle(f"{call.url}/r/{call.recipe}", max_retry=2)  # ten unless told otherwise, in a minute
    prompts, responses = call.column("prompt"), call.column("response")
    rewards, _ = oracle.get_reward(prompts, responses, call.column("reference"))
    again, _ = oracle.get_reward(prompts, responses[::-1], call.column("reference"))
    wins, _ = oracle.compare(prompts, responses, responses[::-1], return_probs=True)
    assert abs(wins - (rewards - again).sigmoid().numpy()).max() < 1e-6, wins
    return list(rewards.tolist())


def parse(lines: list[str]) -> str:
    module = import_alone("oat.args")
    for kind in ("--oracle_type reward", lines[1]):
        sys.argv = ["oat", *lines[0].replace("--oracle_type reward", kind).split()]
        parsed = module.get_default_args()
        assert (parsed.oracle, parsed.remote_rm_url) == ("remote", "http://HOST:8080/r/RECIPE")
        assert parsed.oracle_type == kind.split()[1]
    return type(parsed).__name__
