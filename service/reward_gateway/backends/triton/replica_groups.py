"""Which of the servers that have a model answer for it: those of one version, so that no batch mixes two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.model_config import TritonModel
from reward_gateway.backends.triton.server import TritonServer

Found = tuple[TritonServer, TritonModel]
"""A model where it was found."""


@dataclass(frozen=True, slots=True)
class ReplicaGroup:
    """Servers with one version of a model, under one configuration.

    Attributes:
        model: as the first of them has it.
        info: the model over all servers.
        servers: at least one.
        max_rows: maximum rows of a call that each of them takes.
        instances: calls that they compute at a time, together.
    """

    model: TritonModel
    info: ModelInfo
    servers: tuple[TritonServer, ...]
    max_rows: int
    instances: int


class GroupChoice:
    """Chooses the version of one model name, and stays with it where nothing speaks for another.

    During a rollout servers have two versions. Each gateway answers with the one that most servers have ready, and
    changes once, when the other has become the more frequent: scores of a training run do not alternate.
    """

    def __init__(self) -> None:
        self._version = ""
        self._found: Sequence[Found] = ()
        self._group: ReplicaGroup | None = None

    def choose(self, found: Sequence[Found]) -> ReplicaGroup:
        """The servers that answer.

        Args:
            found: at least one; where it is ready on any, only those count.
        """
        if self._group is None or found != self._found:
            ready = [one for one in found if one[1].info.ready] or found
            self._version = choose_version([model.info.version for _, model in ready], self._version)
            self._group = _join([one for one in ready if one[1].info.version == self._version], found)
            self._found = list(found)
        return self._group


def choose_version(versions: Sequence[str], current: str) -> str:
    """The most frequent of at least one version; among equals the current one, else the latest."""
    counts = Counter(versions)
    most = max(counts.values())
    if counts[current] == most:
        return current
    return max((version for version, servers in counts.items() if servers == most), key=_rank)


def _join(of_version: Sequence[Found], found: Sequence[Found]) -> ReplicaGroup:
    signatures = Counter(model.signature for _, model in of_version)
    signature = signatures.most_common(1)[0][0]
    joined = [one for one in of_version if one[1].signature == signature]
    models = [model for _, model in joined]
    first = models[0]
    info = first.info
    if len(found) > 1:
        info = replace(
            info,
            max_batch=min(model.info.max_batch for model in models),
            versions=_join_versions([model.info.versions for _, model in found], info.version),
            expected=tuple(dict.fromkeys(version for _, model in found for version in model.info.expected)),
        )
    return ReplicaGroup(
        first,
        info,
        tuple(server for server, _ in joined),
        info.max_batch,
        sum(model.info.device.parallel_calls for model in models),
    )


def _join_versions(versions: Sequence[Sequence[str]], selected: str) -> tuple[str, ...]:
    """Every version once, the lowest first; the one that the name alone selects is the last."""
    each = {version for of_server in versions for version in of_server}
    return tuple(sorted(each, key=lambda version: (version == selected, *_rank(version))))


def _rank(version: str) -> tuple[int, str]:
    number, _, content = version.partition("-")
    return int(number) if number.isdecimal() else 0, content
