"""The changes of one request to named state, collected while it is answered and committed together at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from reward_gateway.sample import FloatArray

from .coefficients import Update
from .moments import NOTHING, Triple, merge_triples
from .namespace import NO_NAMESPACE, Namespace
from .values import check_reference_rewards, check_vectors, encode_set


@dataclass(slots=True)
class ReferenceWrite:
    """Reference rewards that are appended to the groups of a name, or replace their rewards."""

    groups: dict[str, list[float]]
    replace: bool


@dataclass(frozen=True, slots=True)
class SetVersion:
    """A JSON text that becomes version ``version`` of a set, if the set has one version less at the commit."""

    kind: str
    name: str
    version: int
    text: str


@dataclass(slots=True)
class StateWrites:
    """Pending changes by kind and name. Every method checks its value, adds it, and returns the writes.

    Attributes:
        space: the namespace that is written.
        moments: stream -> count, mean and m2 of the request's own numbers.
        coefficients: name -> how it changes, in order.
        archives: archive -> vectors [k, d] that are appended.
        labels: table -> messages to queue if they have no label, in order.
        references: name -> rewards by group.
        sets: next versions of named sets.
    """

    space: Namespace = NO_NAMESPACE
    moments: dict[str, Triple] = field(default_factory=dict)
    coefficients: dict[str, list[Update]] = field(default_factory=dict)
    archives: dict[str, FloatArray] = field(default_factory=dict)
    labels: dict[str, dict[str, None]] = field(default_factory=dict)
    references: dict[str, ReferenceWrite] = field(default_factory=dict)
    sets: list[SetVersion] = field(default_factory=list)

    def __bool__(self) -> bool:
        changed = self.moments, self.coefficients, self.archives, self.labels, self.references, self.sets
        return any(changed)

    def merge_moments(self, stream: str, count: float, mean: float, m2: float) -> Self:
        """Merge a batch's count, mean and sum of squared deviations into a stream's."""
        if count > 0:
            self.moments[stream] = merge_triples(self.moments.get(stream, NOTHING), (count, mean, m2))
        return self

    def update_coefficient(self, name: str, *updates: Update) -> Self:
        """Change a coefficient, after what the request changes of it already."""
        if updates:
            self.coefficients.setdefault(name, []).extend(updates)
        return self

    def append_to_archive(self, archive: str, rows: Any) -> Self:
        """Append vectors [k, d].

        Raises:
            InvalidRequest: not vectors of finite numbers, all of the same size.
        """
        new_rows = check_vectors(rows, "archive")
        if len(new_rows):
            before = self.archives.get(archive)
            self.archives[archive] = new_rows if before is None else check_vectors([*before, *new_rows], "archive")
        return self

    def queue_messages(self, table: str, messages: Sequence[str]) -> Self:
        """Queue messages for a label, each once."""
        if messages:
            self.labels.setdefault(table, {}).update(dict.fromkeys(messages))
        return self

    def add_references(self, name: str, rewards: Mapping[str, Sequence[float]], *, replace: bool = False) -> Self:
        """Append reference rewards to groups, or replace the groups' rewards.

        Raises:
            InvalidRequest: a group's rewards are not finite numbers.
        """
        write = self.references.setdefault(name, ReferenceWrite({}, replace))
        for group, values in check_reference_rewards(dict(rewards)).items():
            write.groups[group] = write.groups.get(group, []) + values
        return self

    def add_set_version(self, kind: str, name: str, version: int, value: Any) -> Self:
        """Store a JSON value as version N of a set, under ``name@N`` and, as the newest, under the name.

        Raises:
            InvalidRequest: not a JSON value with finite numbers.
        """
        self.sets.append(SetVersion(kind, name, version, encode_set(value)))
        return self

    def merge(self, other: "StateWrites") -> Self:
        """Add all that another part of the same request changes. Raises InvalidRequest for vectors of two sizes."""
        for stream, moments in other.moments.items():
            self.merge_moments(stream, *moments)
        for name, updates in other.coefficients.items():
            self.update_coefficient(name, *updates)
        for archive, rows in other.archives.items():
            self.append_to_archive(archive, rows)
        for table, messages in other.labels.items():
            self.queue_messages(table, list(messages))
        for name, write in other.references.items():
            self.add_references(name, write.groups, replace=write.replace)
        self.sets += other.sets
        return self
