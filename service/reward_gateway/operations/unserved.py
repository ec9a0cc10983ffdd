"""Systems of which nothing can be served as a reward, and why: the honest rows of the catalogue's documentation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unserved:
    """A published system that defines no reward.

    Attributes:
        why: what the publication is, and why an RL trainer has nothing to call.
        offered: ``kind/name`` of what this project offers in its place (its own design), if anything.
    """

    title: str
    url: str
    why: str
    offered: str | None = None


UNSERVED: tuple[Unserved, ...] = (
    Unserved(
        title="MoltNet: Understanding Social Behavior of AI Agents in the Agent-Native MoltBook",
        url="https://arxiv.org/abs/2602.13458",
        why=(
            "An empirical study of logged agent posts (intent, norms and templates, drift under incentives, contagion "
            "of emotion). It defines no reward, no model and no training target. Its finding that agents chase social "
            "reward and converge on templates motivates an audit of diversity, which is this project's own design."
        ),
        offered="audit/template_convergence",
    ),
    Unserved(
        title="Predicting Users' Value Changes by the Friends' Influence from Social Media Usage",
        url="https://arxiv.org/abs/2109.08021",
        why=(
            "A forecast of a person's Schwartz values from friends' values (bounded confidence, particle swarm, "
            "support vector regression) over a personal social graph. It is no reward, and no trainer holds its "
            "data. What is offered borrows only the standard form of bounded confidence, to smooth annotators' "
            "ratings; radius and rate are this project's own."
        ),
        offered="transform/bounded_confidence",
    ),
    Unserved(
        title="A Survey of Graph Neural Networks for Social Recommender Systems",
        url="https://arxiv.org/abs/2212.04481",
        why=(
            "A survey of 80 recommenders: inputs, encoders, decoders, losses. It defines no reward; the losses it "
            "lists train recommenders, not policies. A recommender's score of a user and an item can be hosted "
            "like any other model, which is no property of this survey."
        ),
    ),
)
