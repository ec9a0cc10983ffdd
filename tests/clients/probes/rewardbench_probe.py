"""rewardbench: its command measures a recipe on conversations of a file, rendered by a tokenizer's chat template."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from letters import CHATML
from reward_gateway.client.adapters import rewardbench
from run import Call
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PACKAGE = "rewardbench"


def score(call: Call) -> list[float | None]:
    folder = Path(tempfile.mkdtemp())
    rows = [
        {
            "prompt": sample["prompt"],
            "messages": [
                {"role": "user", "content": sample["prompt"]},
                {"role": "assistant", "content": sample["response"]},
            ],
        }
        for sample in call.samples
    ]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(str(folder / "tokenizer"))
    arguments = ["--model", call.recipe, "--tokenizer", str(folder / "tokenizer"), "--not_quantized"]
    sys.argv = ["rewardbench", *arguments, "--dataset", str(data), "--load_json", "--output_dir", str(folder)]
    sys.argv += ["--chat_template", "", "--batch_size", "8"]
    rewardbench.main()
    found: list[dict[str, Any]] = [
        json.loads(line) for line in (folder / f"{call.recipe}_outputs.jsonl").read_text().splitlines()
    ]
    return [row["results"] for row in found]
