"""Preference pairs from public data, and the split that holds some of them out for good.

The data is not part of the project: ``--data`` names a folder with ``hh_harmless_test.jsonl.gz`` (Anthropic,
hh-rlhf, harmless-base/test, MIT) and ``pandalm_testset.json.gz`` (WeOpenML, PandaLM testset-v1, Apache-2.0).
The probes beside this module are the project's own.
"""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reward_models.runtime.chat import render_turns

HH, PANDALM = "hh_harmless_test.jsonl.gz", "pandalm_testset.json.gz"
PROBES = Path(__file__).resolve().parent / "probes" / "answering.json"
REFUSALS = PROBES.with_name("refusals.json")

ROLES = {"Human": "user", "Assistant": "assistant"}
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """A prompt, the response that should win and the one that should lose; pairs of a group are split together."""

    prompt: str
    better: str
    worse: str
    group: str
    held_out: bool


def assign_fold(group: str, seed: int = 0) -> int:
    """The fold of a group: 0 to 4, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{group}".encode(), digest_size=8).digest(), "big") % FOLDS


def length_rule(pairs: list[Pair], rule: str) -> float:
    """How often the longer (or shorter) response is the better one; a tie counts half."""
    signs = np.sign([len(pair.better) - len(pair.worse) for pair in pairs])
    return float(np.mean((signs if rule == "longer" else -signs) / 2 + 0.5))


def load_hh_harmless(folder: Path) -> list[Pair]:
    """Dialogues whose last answer differs; dialogues that are broken are dropped."""
    pairs = []
    with gzip.open(folder / HH, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            chosen, rejected = split_turns(row["chosen"]), split_turns(row["rejected"])
            asked = chosen[:-1]
            whole = asked and asked[-1][0] == "user" and chosen[-1][0] == rejected[-1][0] == "assistant"
            if whole and asked == rejected[:-1] and chosen[-1] != rejected[-1]:
                prompt = render_turns(asked)
                pairs.append(Pair(prompt, chosen[-1][1], rejected[-1][1], prompt, assign_fold(prompt) == 0))
    return pairs


def split_turns(dialogue: str) -> list[tuple[str, str]]:
    r"""Roles and texts of a dialogue written as ``\n\nHuman: … \n\nAssistant: …``."""
    parts = re.split(r"\n\n(Human|Assistant): ?", dialogue)
    return [(ROLES[speaker], said.strip()) for speaker, said in zip(parts[1::2], parts[2::2], strict=True)]


def load_pandalm(folder: Path) -> list[Pair]:
    """Pairs on which at least two of three annotators chose the same side. The group is the instruction."""
    with gzip.open(folder / PANDALM, "rt", encoding="utf-8") as opened:
        rows = json.load(opened)
    pairs = []
    for row in rows:
        side, votes = Counter(row[f"annotator{index}"] for index in (1, 2, 3)).most_common(1)[0]
        if side in (1, 2) and votes >= 2:
            prompt = row["instruction"] + (f"\n\n{row['input']}" if row["input"] else "")
            better, worse = str(row[f"response{side}"]), str(row[f"response{3 - side}"])
            pairs.append(Pair(prompt, better, worse, prompt, assign_fold(prompt) == 0))
    return pairs


def pair_off_topic(pairs: list[Pair]) -> list[Pair]:
    """Each preferred response against the preferred response to another instruction of the same split."""
    made = []
    for index, pair in enumerate(pairs):
        others = [other for other in pairs[index + 1 :] + pairs[:index] if other.held_out == pair.held_out]
        other = next(other for other in others[97 % len(others) :] + others if other.group != pair.group)
        made.append(Pair(pair.prompt, pair.better, other.better, pair.group, pair.held_out))
    return made


def pair_degenerate(pairs: list[Pair]) -> list[Pair]:
    """Each preferred response against what a policy may try instead: the prompt again, nothing, one sentence
    over and over, by turns."""
    made = []
    for index, pair in enumerate(pairs):
        sentence = pair.better.split(". ")[0] + ". "
        tricks = (pair.prompt, "", sentence * (2 + 2 * len(pair.better) // len(sentence)))
        made.append(Pair(pair.prompt, pair.better, tricks[index % len(tricks)], pair.group, pair.held_out))
    return made


def load_probes(kind: str) -> list[Pair]:
    """The project's probes: ``benign`` requests that look harmful, where answering should win; ``harmful`` ones,
    where refusing should win. The answers to the latter are willing in tone and useless in content."""
    rows: list[dict[str, Any]] = json.loads(PROBES.read_text("utf-8"))
    better, worse = ("comply", "refuse") if kind == "benign" else ("refuse", "comply")
    return [
        Pair(row["prompt"], row[better], row[worse], row["prompt"], row["split"] == "held_out")
        for row in rows
        if row["kind"] == kind
    ]


def pair_lengthened(kind: str) -> list[Pair]:
    """The probes with length turned round: every long refusal against a ``benign`` answer, every short one against
    a ``harmful`` answer, so that no rule of length can pass both these and :func:`load_probes`."""
    refusals = json.loads(REFUSALS.read_text("utf-8"))
    pairs = []
    for pair in load_probes(kind):
        said = refusals["held_out" if pair.held_out else "train"]["long" if kind == "benign" else "short"]
        for refusal in said:
            better, worse = (pair.better, refusal) if kind == "benign" else (refusal, pair.worse)
            pairs.append(Pair(pair.prompt, better, worse, pair.group, pair.held_out))
    return pairs


def pair_answered(pairs: list[Pair]) -> list[Pair]:
    """Preferred answers to harmless instructions against a refusal from the probes of the same split."""
    refusals = {split: [p.worse for p in load_probes("benign") if p.held_out == split] for split in (False, True)}
    return [
        Pair(pair.prompt, pair.better, said[index % len(said)], pair.group, pair.held_out)
        for index, pair in enumerate(pairs)
        for said in [refusals[pair.held_out]]
    ]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where pairs come from: their function of the data folder (None where it needs none), the files that it reads,
    and which side a rule of length would take."""

    pairs: Callable[[Any], list[Pair]]
    needs: tuple[str, ...] = ()
    rule: str = "longer"


SOURCES = {
    "hh_harmless": Origin(load_hh_harmless, (HH,), "shorter"),
    "pandalm": Origin(load_pandalm, (PANDALM,)),
    "benign_but_scary": Origin(lambda folder: load_probes("benign")),
    "benign_long_refusal": Origin(lambda folder: pair_lengthened("benign")),
    "harmful": Origin(lambda folder: load_probes("harmful")),
    "harmful_short_refusal": Origin(lambda folder: pair_lengthened("harmful")),
    "answers_over_refusals": Origin(lambda folder: pair_answered(load_pandalm(folder)), (PANDALM,)),
    "on_topic": Origin(lambda folder: pair_off_topic(load_pandalm(folder)), (PANDALM,)),
    "not_degenerate": Origin(lambda folder: pair_degenerate(load_pandalm(folder)), (PANDALM,)),
}
"""Every source of pairs, by the name that cards and recipes use."""
