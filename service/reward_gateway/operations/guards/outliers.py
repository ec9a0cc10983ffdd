"""Responses that lie far from what is stored as usual, in the space of a hosted encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field
from scipy.special import chdtri

from reward_gateway.sample import FloatArray, Invalid

from ..costs import Cost
from ..effects import Effectful
from ..hosted import ask_model, samples
from ..members import matrix
from ..names import HostedModel, StoredSet
from ..outcome import ItemError
from ..registry import OperationParams
from ..stored_sets import read_sets
from .registry import GuardView, Judged, explain_missing, guard, refuse_without_response

FLOOR = 1e-6
"""Least share of the mean variance that every direction has: a few points would leave some without any."""


class Outlier(OperationParams):
    encoder: HostedModel = Field(description="Hosted model whose numbers for a sample are its embedding.")
    set: StoredSet = Field(description="Stored set (kind embeddings) of usual samples, embedded by the same encoder.")
    alpha: float = Field(
        0.001, gt=0, lt=1, description="Share of usual samples that would be flagged, were they normally distributed."
    )
    distance: float | None = Field(
        None, gt=0, description="Mahalanobis distance beyond which a sample is flagged, in place of `alpha`."
    )

    with_prompt: bool = Field(False, description="Show the encoder the prompt too, if it reads one.")


@dataclass(frozen=True, slots=True)
class Cloud:
    """A normal distribution of embeddings.

    Attributes:
        mean: [d].
        directions: [r, d] orthonormal, with a variance [r] each.
        rest: the variance in every other direction.
    """

    mean: FloatArray
    directions: FloatArray
    variances: FloatArray
    rest: float

    @classmethod
    def of_points(cls, points: FloatArray) -> "Cloud":
        """Fitted to rows [n, d], with the covariance shrunk towards a multiple of the identity (Ledoit and Wolf, 2004).

        Raises:
            ItemError: fewer than two rows, or all equal.
        """
        n, d = points.shape
        mean = points.mean(axis=0)
        centred = points - mean
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        variances = singular**2 / n
        average = float(variances.sum()) / d
        if n < 2 or average <= 0 or not np.isfinite(average):
            raise ItemError(
                f"holds {n} embeddings without a spread: store different ones, more of them than dimensions"
            )
        squares = float((variances**2).sum())
        dispersion = squares / d - average**2
        error = (float((np.square(centred).sum(axis=1) ** 2).sum()) / n - squares) / (n * d)
        share = 1.0 if dispersion <= 0 else min(max(error / dispersion, FLOOR), 1.0)
        return cls(mean, directions, (1 - share) * variances + share * average, share * average)

    @classmethod
    def of_moments(cls, mean: FloatArray, covariance: FloatArray) -> "Cloud":
        """Of a stored mean [d] and covariance [d, d], which is taken as it is.

        Raises:
            ItemError: they do not fit, or the covariance is not positive definite.
        """
        if covariance.shape != (len(mean), len(mean)):
            raise ItemError("has a covariance that does not fit its mean")
        variances, columns = np.linalg.eigh(covariance)
        if variances[0] <= 0:
            raise ItemError("has a covariance that is not positive definite: store embeddings, or add to its diagonal")
        return cls(mean, columns.T, variances, float(variances[0]))

    @classmethod
    def read(cls, value: Any) -> "Cloud":
        """From a stored set: embeddings, or {"mean": [...], "cov": [[...]]}.

        Raises:
            ItemError: it holds neither, or no distances can be told by it.
        """
        try:
            if not isinstance(value, Mapping):
                with np.errstate(all="ignore"):  # what runs over has no decomposition
                    return cls.of_points(matrix(value, "it"))
            return cls.of_moments(np.asarray(value["mean"], dtype=np.float64), matrix(value["cov"], "its cov"))
        except ItemError:
            raise
        except (KeyError, TypeError, ValueError):
            raise ItemError("holds neither embeddings nor a mean and a cov") from None

    def measure(self, points: FloatArray) -> FloatArray:
        """Mahalanobis distances of rows. [n, d] -> [n]."""
        centred = points - self.mean
        along = centred @ self.directions.T
        outside = np.maximum(np.square(centred).sum(axis=1) - np.square(along).sum(axis=1), 0.0)
        if len(self.directions) == len(self.mean):
            outside = np.zeros(len(points))
        return np.asarray(np.sqrt((along**2 / self.variances).sum(axis=1) + outside / self.rest))


def _read_prompt(params: Outlier) -> frozenset[str]:
    return frozenset(("prompt",) if params.with_prompt else ())


@guard("embedding_outlier", Outlier, reads=_read_prompt, cost=Cost(row=200.0, unit=0.2))
def embedding_outlier(view: GuardView, params: Outlier) -> Effectful[Judged]:
    """The sample's embedding lies far from those of a stored set of usual samples.

    Mahalanobis distance, √((x − μ)ᵀ Σ⁻¹ (x − μ)), flagged beyond `distance`, or beyond the √χ² quantile of 1 − `alpha`
    in as many dimensions. μ and Σ are those of the stored embeddings (`PUT /v1/state/sets/embeddings/NAME`), or its
    `mean` and `cov`. Of few embeddings Σ would be singular: it is shrunk to a multiple of the identity by the share
    that Ledoit and Wolf (2004) estimate, at least a millionth. Embeddings are not normally distributed, so that `alpha`
    is a rough measure: look at the share of flagged samples first, and set `distance`.

    This guard is our design. The published indicator of reward hacking (InfoRM: in 2024 a cluster index, Mahalanobis
    distances in arXiv 2510.13694) is measured in the latent space of a reward model that was trained with an
    information bottleneck; an encoder of your choice is no such space, and no number of those papers carries over.

    The encoder is shown the response, and the prompt `with_prompt`. A sample that it cannot embed, and one without what
    it is shown, cannot be judged and is invalid; so are all where the set is not stored, has no spread, or is of other
    dimensions.
    """
    invalid = refuse_without_response(view, "embedding_outlier")
    prompts = list(view.prompts) if params.with_prompt else [""] * view.size
    unprompted = explain_missing("embedding_outlier", "prompt")
    invalid.update((i, unprompted) for i, prompt in enumerate(prompts) if prompt is None)
    suspicious = np.zeros(view.size, dtype=bool)
    rows = [i for i in range(view.size) if i not in invalid and i not in view.settled]
    if not rows:
        return Judged(suspicious, invalid)
    try:
        cloud = Cloud.read((yield from _read_set(params.set)))
    except ItemError as error:
        reason = Invalid("invalid_field", f"the guard embedding_outlier cannot judge: the set {params.set} {error}")
        return Judged(suspicious, invalid | dict.fromkeys(rows, reason))
    texts = [prompts[i] for i in rows], [view.responses[i] for i in rows]
    asked = samples(len(rows), prompts=texts[0], responses=texts[1])
    answer = yield from ask_model(params.encoder, asked, rows, view.size, single=False)
    invalid |= answer.invalid
    rows = [i for i in rows if i not in answer.invalid]
    if rows and answer.values.shape[1] != len(cloud.mean):
        message = (
            f"{params.encoder} gives {answer.values.shape[1]} numbers, and the set {params.set} has {len(cloud.mean)}"
        )
        return Judged(suspicious, invalid | dict.fromkeys(rows, Invalid("model_error", message)))
    distances = cloud.measure(answer.values[rows])
    suspicious[rows] = distances > (params.distance or np.sqrt(chdtri(len(cloud.mean), params.alpha)))
    return Judged(suspicious, invalid)


def _read_set(name: str) -> Effectful[Any]:
    stored = yield from read_sets("embeddings", [name])
    if name not in stored:
        raise ItemError("is not stored: put it with PUT /v1/state/sets/embeddings/NAME")
    return stored[name]
