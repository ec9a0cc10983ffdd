"""The responses to a prompt meet in pairs, before a judge or a hosted model, and are rated by their games."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..combine.tournament import MOST_PLAYERS
from ..contest import AskAbout, Contest, play_contests, read_standings
from ..costs import Cost
from ..effects import Effectful
from ..judged import JudgeParams, find_flags
from ..names import HostedReward
from ..outcome import Outcome, invalid_field
from ..pair_judging import INSTRUCTION, ask_judge_about, ask_model_about
from ..ratings import RatingParams
from ..registry import OperationItem, operation
from ..schedules import ScheduleName, count_games, plan_schedule
from ..time_limits import tell_limits

MOST_GAMES = 2016
"""Most games of one group, unless the request says otherwise: each of 64 responses against each other."""

_OF_JUDGES = ("judge", "temperature", "votes", "samples", "reply")


class Params(JudgeParams, RatingParams):
    model: HostedReward | None = Field(
        None,
        description="Hosted model in place of the judge: an upstream of protocol word_logprob with `words: {positive: "
        "A, negative: B}` and `input: messages` or `pair`, which says by its next word which response is better.",
    )
    schedule: ScheduleName = Field(
        "all",
        description="Who meets whom: all pairs; swiss rounds; knockout; or all against one anchor.",
    )
    rounds: int | None = Field(None, ge=1, le=64, description="Rounds of swiss. If omitted: ⌈log2 n⌉.")
    max_games: int = Field(
        MOST_GAMES, ge=1, le=100_000, description="Most games of a group; one that needs more has no score."
    )
    seed: int | None = Field(
        None, ge=0, description="Shuffles the responses of a group before they are paired. If omitted: as they come."
    )
    instruction: str = Field(INSTRUCTION, description="What the comparison goes by.")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.model is not None and (written := [name for name in _OF_JUDGES if name in self.model_fields_set]):
            raise ValueError(f"{written[0]} is for a judge: give it, or model")
        if self.rounds is not None and self.schedule != "swiss":
            raise ValueError("rounds is for schedule: swiss")
        return self


class Item(OperationItem):
    prompt: str | None = Field(None, description="Prompt of the group's responses, which is shown. If omitted: none.")
    response: str = Field(description="Response to rate.")
    group: str = Field(description="Items of one group, the responses to one prompt, meet each other.")
    anchor: str | None = Field(
        None,
        description="schedule: anchor: the text that all of the group meet, the same in each item. If omitted: the "
        "group's first response.",
    )


@operation(
    "score",
    "judge_tournament",
    item=Item,
    params=Params,
    grouped=True,
    compares="group",
    cost=Cost(row=200.0, unit=0.3, pairs=0.01),
)
def judge_tournament(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Ratings of a group's responses by comparing them in pairs: as a win rate, Bradley–Terry strength or Elo.

    A judge, or a hosted model (`model`), is asked about each pair twice, the second time with the two swapped; verdicts
    that differ are a tie. `details.position_bias` is the share of the group's pairs whose verdict changed with the
    order. With `votes`, a pair is decided by the majority. Ratings are those of `combine/tournament`, over the games in
    the order in which they were played.

    | schedule | who meets | games of n responses |
    |---|---|---|
    | all | each other | n (n − 1) / 2 |
    | swiss | in each round those of nearly as many points who have not met | at most rounds · ⌊n / 2⌋ |
    | knockout | winners, until one is left | n − 1 |
    | anchor | one text, `anchor`, or the group's first response | n, or n − 1 |

    A game is two questions, times `votes`. A group whose schedule has more than `max_games`, or of over 1,023
    responses, is an error of its items, before anybody is asked. The questions of a round are asked at once, those of
    all groups together: all and anchor have one round, knockout ⌈log2 n⌉, swiss as many unless told otherwise. In
    swiss, one of an odd number sits out a round. In a knock-out the first of a tie goes on, and an odd one goes on
    without a game. Equal responses tie, and with the guard `master_key` one without content loses: nobody is asked.

    A game whose answers cannot be read, or were not given, does not count, for neither of its two. A response whose
    games all failed has no score, with the reason of the first; the others are rated by the games that were answered
    (`failed` says how many were not). The prompts of a group have to be equal. A group of one has the rating of one who
    always ties (0, .5 or 1000), with `single: true`; a recipe refuses it as `group_of_one`.

    Details: `position_bias` (null where nobody was asked), `games`, `failed`, `anchor` (the rating of an anchor that is
    no response), `single`, `judge_answer` (what the judge said in each game of the response), `guard`. A response is
    flagged `position_disagreement` where the order changed a verdict about it.
    """
    fields = {name: columns.objects(name) for name in Item.model_fields}
    outcome = Outcome(reward=np.full(columns.size, np.nan))
    guards = [None if text is None else params.caught(text) for text in fields["response"]]
    contests = _enter_players(fields, guards, params, outcome.invalid)
    schedules = [plan_schedule(params.schedule, len(one.texts), params.rounds, _find_anchor(one)) for one in contests]
    seed = None if params.schedule == "anchor" else params.seed
    yield from play_contests(contests, schedules, _choose_asked(params), seed)
    agreed = _tell_standings(columns.size, contests, params, outcome)
    outcome.details["guard"] = guards
    for row, flags in find_flags(guards, fields["response"], agreed=agreed).items():
        outcome.flags[row] = (*outcome.flags.get(row, ()), *flags)
    return outcome


def _choose_asked(params: Params) -> AskAbout:
    """What is asked about pairs: the judge, or the model that stands in its place."""
    if params.model is not None:
        return partial(ask_model_about, instruction=params.instruction, model=params.model)
    return partial(ask_judge_about, instruction=params.instruction, params=params)


def _find_anchor(contest: Contest) -> int:
    """The player whom all others meet, where the schedule has one: the text that is no item, else the first."""
    return len(contest.rows) if len(contest.texts) > len(contest.rows) else 0


def _enter_players(
    fields: dict[str, Sequence[Any]], guards: Sequence[str | None], params: Params, invalid: dict[int, Invalid]
) -> list[Contest]:
    """The contests of all groups; items that can take part in none get a reason."""
    groups: dict[str, list[int]] = {}
    for row, name in enumerate(fields["group"]):
        if name is None:
            invalid[row] = invalid_field("group: missing", "group")
        elif fields["response"][row] is None:
            invalid[row] = invalid_field("response: missing", "response")
        elif params.schedule != "anchor" and fields["anchor"][row] is not None:
            invalid[row] = invalid_field("anchor is for schedule: anchor", "anchor")
        else:
            groups.setdefault(name, []).append(row)
    contests: list[Contest] = []
    for rows in groups.values():
        contest = Contest(fields["prompt"][rows[0]])
        anchors = list(dict.fromkeys(text for row in rows if (text := fields["anchor"][row]) is not None))
        if len(anchors) > 1:
            invalid |= dict.fromkeys(rows, invalid_field("anchor: the items of a group have different ones", "anchor"))
            continue
        for row in rows:
            if fields["prompt"][row] == contest.prompt:
                contest.rows.append(row)
            else:
                invalid[row] = invalid_field("prompt: the first item of its group has another", "prompt")
        contest.texts = [fields["response"][row] for row in contest.rows] + anchors
        contest.empty = frozenset(player for player, row in enumerate(contest.rows) if guards[row] is not None)
        if (reason := _explain_too_many(len(contest.texts), params)) is not None:
            invalid |= dict.fromkeys(contest.rows, reason)
        else:
            contests.append(contest)
    return contests


def _explain_too_many(players: int, params: Params) -> Invalid | None:
    games = count_games(params.schedule, players, params.rounds)
    if players >= MOST_PLAYERS:
        return invalid_field(f"a group may have {MOST_PLAYERS - 1:,} responses, and has {players:,}", "group")
    if games <= params.max_games:
        return None
    advice = "choose another schedule, or raise max_games" if params.schedule == "all" else "raise max_games"
    return invalid_field(
        f"schedule {params.schedule} has {games:,} games for {players:,} responses, and max_games is "
        f"{params.max_games:,}: {advice}",
        "group",
    )


def _tell_standings(size: int, contests: Sequence[Contest], params: Params, outcome: Outcome) -> list[float | None]:
    """Put the ratings and details of all contests into the outcome. [size] the share of pairs that the order left."""
    assert outcome.reward is not None
    names = ("position_bias", "games", "failed", "anchor", "single", "judge_answer")
    details: dict[str, list[Any]] = {name: [None] * size for name in names}
    agreed: list[float | None] = [None] * size
    limits: dict[int, float] = {}
    for contest in contests:
        bias = contest.measure_bias()
        standings = read_standings(contest, params)
        anchor = standings[-1].rating if _find_anchor(contest) else None
        for row, standing in zip(contest.rows, standings, strict=False):
            if standing.reason is not None:
                outcome.invalid[row] = standing.reason
            else:
                outcome.reward[row] = standing.rating
            single = True if len(contest.texts) == 1 else None
            told = (bias, standing.games, standing.failed, anchor, single, standing.words)
            for name, value in zip(names, told, strict=True):
                details[name][row] = value
            agreed[row] = standing.agreed
            if standing.limit_s is not None:
                limits[row] = standing.limit_s
            if standing.flags:
                outcome.flags[row] = standing.flags
    outcome.details = {**details, **tell_limits(size, limits)}
    return agreed
