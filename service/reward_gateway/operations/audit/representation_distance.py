"""MRMBench's inference-time probing: is a reward model's hidden state where its training data were."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import log_softmax, softmax

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..effects import Effectful
from ..members import matrix
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation
from ..stored_sets import read_sets

SOURCE = Source("MRMBench: probing preference representations of reward models", "https://arxiv.org/abs/2511.12464")


class Params(OperationParams):
    tau: float = Field(140.0, gt=0, description="Greatest distance kept; 140 is for the paper's model only.")


class Item(OperationItem):
    hidden: list[float] = Field(description="Hidden state of the sample.")
    dimension: str | None = Field(
        None, description="Name of a stored dimension, whose centroids count where none are given."
    )
    centroids: dict[str, list[float]] | list[list[float]] | None = Field(
        None, description="Centroids as long as `hidden`, by label or as a list. If omitted: those of `dimension`."
    )


@operation(
    "audit",
    "representation_distance",
    item=Item,
    params=Params,
    source=SOURCE,
    fidelity="second-hand",
    cost=Cost(row=200.0, unit=0.3, square=0.05),
)
def representation_distance(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Distance of a hidden state to the nearest centroid of a preference dimension.

    d_i = ‖h − c_i‖₂ over the centroids of the label groups; the sample is kept if min d_i ≤ τ. The paper's 140
    is for its model only: take a quantile of the distances on validation data (`audit/mrm_probe` gives it).

    `centroids`, by label or as a list, or the name of a stored `dimension` (helpfulness, …). Unequal lengths and
    unknown dimensions are an item error. The reward is the least distance. Details: `min_distance`, `keep`,
    `nearest` (label, or place), `distances`.
    """
    hidden, given, names = columns.vectors("hidden"), columns.objects("centroids"), columns.objects("dimension")
    wanted = [name for name, own in zip(names, given, strict=True) if own is None]
    stored = yield from read_sets("centroids", wanted)

    def compute_row(i: int) -> Row:
        centroids = given[i] if given[i] is not None else stored.get(names[i])
        if centroids is None or not len(centroids):
            raise ItemError("give centroids, or the name of a dimension whose centroids are stored")
        labels = list(centroids) if isinstance(centroids, Mapping) else list(range(len(centroids)))
        points = matrix(centroids.values() if isinstance(centroids, Mapping) else centroids, "centroids")
        state = hidden[i]
        if state is None or len(state) != points.shape[1]:
            raise ItemError(
                f"the centroids have {points.shape[1]} numbers, and hidden must have as many", param="hidden"
            )
        distances = np.sqrt(((points - state) ** 2).sum(axis=1))
        nearest = int(distances.argmin())
        least = float(distances[nearest])
        return Row(
            reward=least,
            details={
                "min_distance": least,
                "keep": least <= params.tau,
                "nearest": labels[nearest],
                "distances": distances.tolist(),
            },
        )

    return by_row(columns.size, compute_row)


class ProbeParams(OperationParams):
    l2: float = Field(1e-3, gt=0, description="Weight decay of the softmax probe (our choice).")
    quantile: float = Field(0.99, ge=0, le=1, description="Of the validation distances, taken as threshold.")


class ProbeItem(OperationItem):
    train_hidden: list[list[float]] = Field(description="Hidden states to fit the probe on, [n][features].")
    train_labels: list[str] = Field(description="Label of every training state, at least two different ones.")
    test_hidden: list[list[float]] = Field(description="Hidden states to score the probe on, [m][features].")
    test_labels: list[str] = Field(description="Label of every test state.")


@operation(
    "audit",
    "mrm_probe",
    item=ProbeItem,
    params=ProbeParams,
    source=SOURCE,
    fidelity="second-hand",
    cost=Cost(row=1000.0, unit=1.0, square=0.05),
)
def mrm_probe(columns: Columns, params: ProbeParams) -> Outcome:
    """How well a reward model's hidden states tell a preference dimension's labels apart: accuracy of a linear probe.

    p = softmax(W h + b) by cross-entropy on the training states, scored on the test states. The paper trains one epoch
    by gradient steps; here the probe is fitted to the end (L-BFGS on standardised states, a little weight decay), so
    that the answer is deterministic. The reward is its test accuracy.

    Details: `nearest_centroid` (accuracy of the nearest class mean), `centroids` by label, and `threshold`, the
    quantile (.99) of the test states' distances to their nearest centroid: what `audit/representation_distance` takes.
    At least two labels, and as many labels as states, or the item is an error.
    """
    fields = {name: columns.objects(name) for name in ProbeItem.model_fields}

    def compute_row(i: int) -> Row:
        train, test = matrix(fields["train_hidden"][i], "train_hidden"), matrix(fields["test_hidden"][i], "test_hidden")
        known, asked = list(fields["train_labels"][i]), list(fields["test_labels"][i])
        labels = sorted(set(known))
        if len(known) != len(train) or len(asked) != len(test) or train.shape[1] != test.shape[1]:
            raise ItemError("there must be one label a state, and states of one length")
        if len(labels) < 2 or not set(asked) <= set(labels):
            raise ItemError("the training labels must be two or more, the test's among them")
        y = np.array([labels.index(label) for label in known])
        truth = np.array([labels.index(label) for label in asked])
        centroids = np.stack([train[y == k].mean(axis=0) for k in range(len(labels))])
        distances = np.sqrt(((test[:, None, :] - centroids[None]) ** 2).sum(axis=2))
        predicted = _fit_probe(train, y, len(labels), test, params.l2)
        return Row(
            reward=float((predicted == truth).mean()),
            details={
                "nearest_centroid": float((distances.argmin(axis=1) == truth).mean()),
                "centroids": dict(zip(labels, centroids.tolist(), strict=True)),
                "threshold": float(np.quantile(distances.min(axis=1), params.quantile)),
            },
        )

    return by_row(columns.size, compute_row)


def _fit_probe(train: FloatArray, y: Any, classes: int, test: FloatArray, l2: float) -> Any:
    """[m] classes that a softmax probe fitted on ``train`` predicts for ``test``."""
    from scipy.optimize import minimize  # slow to import, and asked for by audits alone

    mean, std = train.mean(axis=0), train.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    x = np.column_stack([(train - mean) / std, np.ones(len(train))])
    target = np.eye(classes)[y]

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        weights = flat.reshape(x.shape[1], classes)
        logits = x @ weights
        value = -(target * log_softmax(logits, axis=1)).sum() / len(x) + l2 * (weights**2).sum() / 2
        gradient = x.T @ (softmax(logits, axis=1) - target) / len(x) + l2 * weights
        return float(value), gradient.ravel()

    fitted = minimize(loss, np.zeros(x.shape[1] * classes), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    ones = np.column_stack([(test - mean) / std, np.ones(len(test))])
    return (ones @ fitted.x.reshape(x.shape[1], classes)).argmax(axis=1)
