"""open-instruct.

    export REWARD_GATEWAY_URL=http://HOST:8080 REWARD_GATEWAY_REWARD=RECIPE
    python -m reward_gateway.client.adapters.open_instruct open_instruct/grpo_fast.py …   # in place of `python …`

and ``reward_gateway`` in the dataset's column ``dataset``; the verifier of that name is found because its class is
there. The query, which open-instruct writes as ``user: …``, is read back into messages, and the label is the sample's
reference. A sample without a score raises.

**Mixed data.** open-instruct finds the verifier by the row's ``dataset``, and does not hand it on. With
``REWARD_GATEWAY_DATASETS=gsm8k,code`` the gateway is the verifier of these names, too, each of which is the sample's
``metadata.dataset``: ``score: {by: metadata.dataset, cases: {gsm8k: {score: math_equivalence}, …}}``.

Samples arrive one by one: a recipe that compares a group (``grpo``) needs ``group: {cohort: {size: N}}``, N being the
samples per prompt, or ``group: {answer: combined}``.
"""

import os
import re
import runpy
import sys
from typing import TYPE_CHECKING, Any

from reward_gateway.client import SampleScore
from reward_gateway.client.adapters.rows import make_sample
from reward_gateway.client.adapters.service import Service, require_number

if TYPE_CHECKING:
    VerifierFunction: Any = object
    VerificationResult: Any = None
else:
    try:
        from open_instruct.ground_truth_utils import VerificationResult, VerifierFunction
    except ImportError:
        VerifierFunction, VerificationResult = object, None


_TURN = re.compile(r"^(system|user|assistant): ", re.MULTILINE)
_PROMPT = re.compile(r"(?:system )?(?:user assistant )*user")


class _Verifier:
    """The reward of a prediction by the recipe.

    Attributes:
        dataset: the name in the dataset's column by which open-instruct finds the verifier.
    """

    dataset = "reward_gateway"

    def __init__(self, verifier_config: Any = None) -> None:
        if VerificationResult is None:
            raise ImportError("open-instruct is not installed here")
        super().__init__(self.dataset, verifier_config=verifier_config, weight=1.0)  # type: ignore[call-arg]

    def __call__(
        self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None
    ) -> Any:
        return _to_result(_service().score([_read_sample(query, prediction, label, self.dataset)])[0])

    async def async_call(
        self, tokenized_prediction: Any, prediction: str, label: Any, query: Any = None, rollout_state: Any = None
    ) -> Any:
        """The same, where calls of the same moment travel together."""
        return _to_result(await _service().score_one(_read_sample(query, prediction, label, self.dataset)))


class RewardGatewayVerifier(_Verifier, VerifierFunction):  # type: ignore[misc]
    """The verifier of the data set ``reward_gateway``."""


def _make_verifier(dataset: str) -> type[Any]:
    """The verifier of another data set. open-instruct looks at the classes that are made of its own directly."""
    return type(f"Verifier_{dataset}", (_Verifier, VerifierFunction), {"dataset": dataset})


def _service() -> Service:
    return Service.of(rendered=True)


def _read_sample(query: Any, prediction: str, label: Any, dataset: str) -> dict[str, Any]:
    prompt = _read_query(query) if isinstance(query, str) else query
    return make_sample(prompt, prediction, label, rows=[{"dataset": dataset}])


def _read_query(query: str) -> Any:
    """The messages of a query, which open-instruct writes as lines: ``system: …``, ``user: …``, ``assistant: …``.

    A prompt alternates and ends with the user. Where its lines do not, some stand in a message that looks like turns:
    then everything after the system's message is the user's.
    """
    marks = list(_TURN.finditer(query))
    if not marks or marks[0].start():
        return query
    if not _PROMPT.fullmatch(" ".join(mark[1] for mark in marks)):
        marks = [mark for k, mark in enumerate(marks[:2]) if k == 0 or marks[0][1] == "system"]
    ends = [mark.start() - 1 for mark in marks[1:]] + [len(query)]
    return [{"role": mark[1], "content": query[mark.end() : end]} for mark, end in zip(marks, ends, strict=True)]


def _to_result(score: SampleScore) -> Any:
    return VerificationResult(score=require_number(score))


_verifiers: list[type[Any]] = []
"""Keeps the verifiers of the data sets that the environment names, which nothing else does."""

for _name in filter(None, map(str.strip, os.environ.get("REWARD_GATEWAY_DATASETS", "").split(","))):
    _verifiers.append(_make_verifier(_name))


def main() -> None:
    """Run open-instruct's script, to which the verifier is known by now."""
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    from reward_gateway.client.adapters import open_instruct  # under its own name, so that workers find the class

    open_instruct.main()
