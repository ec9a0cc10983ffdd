"""What is known of the rows when the conditions of a component are decided; see :class:`.conditions.Known`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reward_gateway.cache.keys import SampleDigests
from reward_gateway.sample import Batch, FloatArray
from reward_gateway.sample.fields import MODEL_INPUTS

from .column_binder import ColumnBinder, Value
from .component_plan import ComponentPlan
from .sample_keys import SampleKeys
from .shares import share_of


@dataclass
class KnownValues:
    """The values and flags of the components that are finished, and the samples themselves.

    Attributes:
        component: the one whose conditions these are.
        show: returns the batch as that component is shown it.
        binder: knows the groups of the rows.
        members: the valid rows.
        values, raised: of each component its value after transforms, and the flags that its scorer raised.
    """

    component: ComponentPlan
    show: Callable[[], Batch]
    binder: ColumnBinder
    members: Sequence[int]
    values: Mapping[str, Value]
    raised: Mapping[str, Mapping[int, tuple[str, ...]]]
    keys: SampleKeys

    @property
    def groups(self) -> Sequence[str]:
        return self.binder.groups

    def value_of(self, component: str) -> FloatArray:
        value = self.values[component]
        assert not isinstance(value, list)
        return value

    def flags_of(self, component: str) -> Mapping[int, tuple[str, ...]]:
        return self.raised[component]

    def read_key(self, row: int, key: str) -> Any:
        return self.keys.read(row, key)

    def share_of(self, row: int, *, by_group: bool) -> float:
        return share_of(self.component.name, self.groups[row] if by_group else self._digests[row])

    @cached_property
    def _digests(self) -> list[bytes]:
        """[n] digests of what the component reads of the samples, as cache keys hold them."""
        read = [name for name in MODEL_INPUTS if name in self.component.reads]
        return SampleDigests(self.show()).digest_fields(read)
