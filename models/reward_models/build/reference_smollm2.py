"""Write the log-probabilities that torch gives to some texts, for ``evaluate.likelihood`` to compare with.

The network is that of ``transformers``, over the weights dequantised by ``gguf``: neither shares code with the graphs
that are served. The tokeniser is the served one. Run once, with torch, transformers and gguf at hand:

    python -m reward_models.build.reference_smollm2 --gguf SmolLM2-135M-Instruct.Q4_1.gguf --tokenizer tokenizer.json
"""

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from reward_models.evaluate.likelihood import REFERENCE, read_texts

EVERY = 3
"""Every so many of the evaluation's texts are taken, and one that begins a document."""


def main() -> None:
    """Write the file that the evaluation reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    network = AutoModelForCausalLM.from_pretrained(
        arguments.gguf.parent, gguf_file=arguments.gguf.name, dtype=torch.float32
    ).eval()
    rows = []
    for context, continuation in [*read_texts()[::EVERY], ("", "The naïve café costs 12.50 €, or ½ of 25.")]:
        before = tokenizer.encode(context or "<|endoftext|>").ids
        after = tokenizer.encode(continuation).ids
        with torch.no_grad():
            logits = network(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        found = torch.log_softmax(logits, -1).gather(1, torch.tensor(after)[:, None])[:, 0]
        logprobs = [round(float(value), 5) for value in found]
        rows.append({"context": context, "continuation": continuation, "logprobs": logprobs})
    lines = ",\n ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    REFERENCE.write_text(f"[\n {lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
