"""Games between the responses of a group, combined into one number for each response."""

from pydantic import Field

from ..columns import Columns
from ..costs import Cost
from ..members import entry
from ..outcome import ItemError, Outcome, Row, by_row
from ..ratings import Games, RatingParams, rate
from ..registry import OperationItem, operation

MOST_PLAYERS = 1024


class Game(OperationItem):
    i: int = Field(ge=0, description="Place of one player, from 0.")
    j: int = Field(ge=0, description="Place of the other.")
    result: float = Field(description="1: i won. 0.5: a tie. 0: j won.")


class Item(OperationItem):
    n: int = Field(ge=1, le=MOST_PLAYERS, description="Number of players, for example the responses of a group.")
    games: list[Game] = Field(description="Games in the order in which they were played; two may meet several times.")


@operation(
    "combine",
    "tournament",
    item=Item,
    params=RatingParams,
    returns="vector",
    cost=Cost(row=200.0, unit=1.0, square=0.05),
)
def tournament(columns: Columns, params: RatingParams) -> Outcome:
    """One number per player from the games that they played: win rate, Bradley–Terry strength or Elo.

    | method | rewards |
    |---|---|
    | win_rate | points over games, 0 to 1: a game won is a point, a tie half a point; null without a game |
    | bradley_terry | s, with P(i beats j) = σ(s_i − s_j), in log-odds, mean 0 |
    | elo | starts at 1000; each game, in order, moves k · (points − 1 / (1 + 10^((R_j − R_i) / 400))) |

    Bradley–Terry is the maximum of Σ log σ(s_winner − s_loser), with a tie as half a game won by each, less
    Σ s² / (2 · prior_std²): with the prior there is one maximum, finite also for a player who always wins, and 0 for
    one without a game. It is found by Newton's method, for thousands of games as for three. The model is Bradley and
    Terry's (1952), the prior our choice; a wide one (`prior_std: 1000`) gives the likelihood's own maximum where there
    is one.

    A game of a player against itself, against one that is not there, or with another result, and an item without games,
    are item errors. Details: `games`, how many each played. `score/judge_tournament` has the games judged, too.
    """
    players, played = columns.objects("n"), columns.objects("games")

    def compute_row(i: int) -> Row:
        games = Games.of(int(players[i]), [_read_game(game, players[i], g) for g, game in enumerate(played[i])])
        if not len(games.points):
            raise ItemError("there are no games to rate by", param="games")
        return Row(rewards=rate(games, params).tolist(), details={"games": games.count().tolist()})

    return by_row(columns.size, compute_row)


def _read_game(game: object, players: int, place: int) -> tuple[int, int, float]:
    i, j, result = (entry(game, name) for name in ("i", "j", "result"))
    for name, player in (("i", i), ("j", j)):
        if not 0 <= player < players:
            raise ItemError(f"there is no player {player}: n is {players}", param=f"games[{place}].{name}")
    if i == j:
        raise ItemError(f"player {i} against itself is no game", param=f"games[{place}].j")
    if result not in (0.0, 0.5, 1.0):
        raise ItemError("must be 1 (i won), 0.5 (a tie) or 0 (j won)", param=f"games[{place}].result")
    return int(i), int(j), float(result)
