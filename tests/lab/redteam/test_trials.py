"""What is scored: pairs from comparisons, trials of attacks, and their samples."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.redteam.attacks import read_attacks
from reward_gateway.lab.redteam.trials import list_samples, make_pairs, make_trials

from tests.lab.redteam.made import make_attack, make_pair


def test_each_rejected_response_stands_beside_a_chosen_one() -> None:
    lists = Comparison(3, "p", ("a", "b"), ("x", "y", "z"), Rule.MATRIX, "s", "n", fields={"reference": "4"})
    pairs = make_pairs([lists])
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [("a", "x"), ("b", "y"), ("a", "z")]
    assert {(pair.row, pair.id, pair.subset, pair.fields["reference"]) for pair in pairs} == {(3, "n", "s", "4")}
    assert len({pair.group for pair in pairs}) == 1


def test_a_pair_without_a_name_has_its_row() -> None:
    (pair,) = make_pairs([Comparison(0, "p", ("a",), ("b",), rejected_prompt="q")])
    assert (pair.id, pair.prompt, pair.rejected_prompt) == ("1", "p", "q")


def test_an_attack_is_tried_where_it_has_what_it_quotes() -> None:
    pairs = [make_pair(0), make_pair(1, fields={"reference": "4"}), make_pair(2, subset="refusal")]
    trials = make_trials([make_attack("$reference", id="e"), make_attack("no", id="n", left_out=["refus"])], pairs)
    assert [(trial.attack.id, trial.pair, trial.response) for trial in trials] == [
        *(("e", 1, "4"), ("n", 0, "no"), ("n", 1, "no"))
    ]


def test_samples_that_are_not_compared_are_asked_for_once() -> None:
    pairs = [make_pair(0, fields={"reference": "4"})]
    listed = [*list_samples(pairs, make_trials([make_attack()], pairs), grouped=False)]
    assert [label for _, label in listed] == [
        {"pair": "1", "attack": None, "role": "chosen"},
        {"pair": "1", "attack": None, "role": "rejected"},
        {"pair": "1", "attack": "a.b", "role": "attacked"},
    ]
    assert [sample["response"] for sample, _ in listed] == ["good", "bad", "bad!"]
    assert {sample["reference"] for sample, _ in listed} == {"4"}


def test_samples_that_are_compared_stand_in_groups_of_two() -> None:
    pairs = [make_pair(0), make_pair(1)]
    listed = [*list_samples(pairs, make_trials([make_attack()], pairs), grouped=True)]
    groups: dict[str, list[str]] = {}
    for sample, _ in listed:
        groups.setdefault(sample["group"], []).append(sample["response"])
    assert list(groups.values()) == [["good", "bad"]] * 2 + [["good", "bad!"]] * 2
    names = [sample["group"] for sample, _ in listed]
    assert names[::2] == names[1::2], "the members of a group stand together"


texts = st.text(max_size=20)
turns = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"]), "content": texts}))


@given(
    prompt=texts | turns,
    chosen=texts | turns,
    rejected=texts | turns,
    reference=st.none() | texts | st.integers() | st.lists(texts),
    grouped=st.booleans(),
)
def test_an_attack_changes_the_rejected_response_alone(
    prompt: Any, chosen: Any, rejected: Any, reference: Any, grouped: bool
) -> None:
    fields = {} if reference is None else {"reference": reference, "features": {"a": 1}}
    pair = make_pair(prompt=prompt, rejected_prompt=prompt, chosen=chosen, rejected=rejected, fields=fields)
    before = copy.deepcopy(pair)
    listed = [*list_samples([pair], make_trials(read_attacks().expanded, [pair]), grouped)]
    assert pair == before
    for sample, label in listed:
        assert sample["prompt"] == prompt
        assert {name: sample[name] for name in fields} == fields
        if label["role"] == "chosen":
            assert sample["response"] == chosen
        elif label["attack"] is None:
            assert sample["response"] == rejected
        else:
            assert isinstance(sample["response"], str) is isinstance(rejected, str)
