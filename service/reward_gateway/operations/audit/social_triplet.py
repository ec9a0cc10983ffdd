"""The training loss and the accuracy of Social Reward's encoder, from embeddings."""

from pydantic import Field

from ..columns import Columns
from ..numerics import cosine
from ..outcome import Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..score.social_reward import SOURCE


class Params(OperationParams):
    margin: float = Field(0.3, ge=0, description="Margin m of the triplet loss.")


class Item(OperationItem):
    text_embedding: list[float] = Field(
        description="Embedding of the prompt, of the images' length and not 0; scaled to length 1."
    )
    positive: list[float] = Field(description="Embedding of the image that was re-used.")
    negative: list[float] = Field(description="Embedding of the other image.")


@operation("audit", "social_triplet", item=Item, params=Params, source=SOURCE, fidelity="verified")
def social_triplet(columns: Columns, params: Params) -> Outcome:
    """Triplet loss of a pair of images under one prompt.

    L = max(0, ‖t − v⁺‖² − ‖t − v⁻‖² + m) on embeddings of length 1, m = .3. As ‖t − v‖² = 2 − 2 cos, this is a hinge
    on the gap of the two scores: max(0, 2 (cos⁻ − cos⁺) + m).

    reward is the loss of the pair (lower is better). Details: `positive`, `negative` (the two cosines), `correct`
    (ties count as correct, as in the repository). Embeddings of unequal length or length 0: an item error.
    """
    text, positive, negative = (columns.objects(name) for name in ("text_embedding", "positive", "negative"))

    def compute_row(i: int) -> Row:
        better = cosine(text[i], positive[i], ("text_embedding", "positive"))
        worse = cosine(text[i], negative[i], ("text_embedding", "negative"))
        return Row(
            reward=max(0.0, 2 * (worse - better) + params.margin),
            details={"positive": better, "negative": worse, "correct": better >= worse},
        )

    return by_row(columns.size, compute_row)
