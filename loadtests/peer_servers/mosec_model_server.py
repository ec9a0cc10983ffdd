"""mosec with our own text model, a post at a time, so that none waits for others. mosec itself reads ``--port``.

Batches of 16, which our scorer cuts where padding costs more than a run, answer 1.15 times as many.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from mosec import Server, Worker
from reward_models.runtime.instance import Instance
from reward_models.runtime.preference import PreferenceScorer
from reward_models.runtime.session import Device

MODEL = Path(__file__).resolve().parents[2] / "models" / "repository" / "text_preference"
LONGEST_ANSWER_S = 60


class Model(Worker):
    def __init__(self) -> None:
        super().__init__()
        card = yaml.safe_load((MODEL / "card.yaml").read_text())
        instance = Instance(MODEL / "1", tuple(card["dimensions"]), tuple(card["flags"]), card, Device())
        self.scorer = PreferenceScorer(instance, remembered=0)

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        samples = data["samples"]
        columns = {name: [sample[name].encode() for sample in samples] for name in ("prompt", "response")}
        return {"rewards": self.scorer.score(columns, len(samples)).scores[:, 0].tolist()}


if __name__ == "__main__":
    os.environ["MOSEC_TIMEOUT"] = str(LONGEST_ANSWER_S * 1000)
    server = Server()
    server.append_worker(Model, num=1, timeout=LONGEST_ANSWER_S)
    server.run()
