"""Score a batch by verl's whole reward loop, whose workers are processes of Ray; test_verl_loop.py runs it.

    python verl_loop.py SAMPLES.json ANSWERS.json TEMP SETTING [SETTING …]

SETTINGs are lines of verl's configuration. ANSWERS.json gets ``scores``, the reward that verl puts at each response's
last token, and what it adds to the batch for its logs. TEMP is a folder for Ray.
"""

import json
import sys
from pathlib import Path

import ray
from letters import make_tokenizer
from verl.experimental.reward_loop import RewardLoopManager
from verl_rows import compose_config, make_rows

WORKERS = 2


def main(samples: str, answers: str, temp: str, *settings: str) -> None:
    """Score, and write the answers down."""
    asked = json.loads(Path(samples).read_text())
    tokenizer = make_tokenizer(sample[name] for sample in asked for name in ("prompt", "response"))
    tokenizer.save_pretrained("tokenizer")
    lines = ["actor_rollout_ref.model.path=tokenizer", f"reward.num_workers={WORKERS}", *settings]
    ray.init(num_cpus=WORKERS, include_dashboard=False, _temp_dir=temp, object_store_memory=100_000_000)
    try:
        rows = make_rows(tokenizer, asked)
        scored = RewardLoopManager(compose_config(lines)).compute_rm_score(rows)
    finally:
        ray.shutdown()
    columns = {name: values.tolist() for name, values in scored.non_tensor_batch.items()}
    last = rows.batch["attention_mask"][:, rows.batch["prompts"].shape[1] :].sum(1) - 1
    scores = scored.batch["rm_scores"].gather(1, last[:, None])[:, 0].tolist()
    assert scored.batch["rm_scores"].count_nonzero() == sum(score != 0 for score in scores)
    Path(answers).write_text(json.dumps({"scores": scores, "columns": columns}))


if __name__ == "__main__":
    main(*sys.argv[1:])
