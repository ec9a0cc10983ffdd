"""Write ``converted/``: tiny checkpoints, converted, with the scores that torch gives to the rows of the check.

Run with an environment that has torch, from the project's folder: ``python tests/models/convert/record.py``. The tests
beside it score the same rows without torch.
"""

import json
import shutil
import tempfile
from pathlib import Path

from reward_models.convert import Options, tiny, verify, writing
from reward_models.convert.add import make_plan
from reward_models.convert.checkpoint import fetch_checkpoint

RECORDED = {
    "pair": ("bert", Options(kind="sequence")),
    "chat": ("llama", Options(kind="sequence")),
    "labels": ("qwen2", Options(kind="sequence", template="response", truncate="refuse", max_length=96)),
    "steps": ("process-reward", Options(kind="steps")),
    "lines": ("value-head", Options(kind="steps", dimensions=("product", "max"))),
    "tokens": ("step-tokens", Options(kind="tokens", max_length=200)),
    "match": ("clip", Options(kind="pickscore")),
}
FOLDER = Path(__file__).parent / "converted"


def record(name: str, tiny_kind: str, options: Options) -> None:
    """One model folder, as it would be published, and ``scores.json`` beside its files."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        source = Path(made) / f"tiny-{tiny_kind}"
        source.mkdir()
        tiny.everything()[tiny_kind](source)
        checkpoint = fetch_checkpoint(str(source))
        plan = make_plan(checkpoint, options)
        plan.write(folder)
        writing.write_files(folder, name, plan)
        scores = [plan.reference(row) for row in plan.rows]
        measured = verify.compare_with_torch(plan, scores, folder, options.dtype)
        writing.write_card(folder, name, plan, checkpoint, options, measured)
    (folder / "scores.json").write_text(json.dumps(scores), "utf-8")
    print(name, measured)


if __name__ == "__main__":
    for name, (tiny_kind, options) in RECORDED.items():
        record(name, tiny_kind, options)
