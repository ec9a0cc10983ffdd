"""Asks a gateway from inside the pods' network, and prints what was answered as JSON.

`python -m tests.deploy.play.client URL RECIPE` scores the JSON list of samples in its first line of standard input;
with `--until-closed` again and again, until its standard input is closed. The environment says the rest
(`REWARD_GATEWAY_API_KEY`, `REWARD_GATEWAY_CA_FILE`).
"""

import json
import sys
import threading

from reward_gateway.client import RewardClient
from reward_gateway.errors import GatewayError

Sample = dict[str, object]


def score(client: RewardClient, reward: str, samples: list[Sample]) -> dict[str, object]:
    try:
        scores = client.score_samples(samples, reward=reward)
    except GatewayError as error:
        return {"error": error.code, "message": str(error)}
    return {"rewards": scores.rewards.tolist(), "valid": scores.valid.tolist()}


def score_until_closed(client: RewardClient, reward: str, samples: list[Sample]) -> dict[str, object]:
    """How many requests were made, and the answers of those that failed."""
    made, failed = 0, []
    reader = threading.Thread(target=sys.stdin.read, daemon=True)
    reader.start()
    while reader.is_alive():
        made += 1
        answer = score(client, reward, [{**sample, "prompt": f"{sample['prompt']} {made}"} for sample in samples])
        if answer.get("valid") != [True] * len(samples):
            failed.append(answer)
    return {"made": made, "failed": failed}


if __name__ == "__main__":
    url, recipe, *more = sys.argv[1:]
    given = json.loads(sys.stdin.readline())
    with RewardClient(url, timeout_s=120.0) as asking:
        print(json.dumps((score_until_closed if more else score)(asking, recipe, given)))
