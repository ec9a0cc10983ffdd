"""Calibrations: fitted on known points when they are uploaded, and kept under a name for recipes and operations.

What is kept is the fit, not the points.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import msgspec
import numpy as np

from reward_gateway.errors import InvalidRequest, NotFound, TooLarge
from reward_gateway.intake.decode import decode_as
from reward_gateway.operations.calibration.calibration import Calibration, Method
from reward_gateway.operations.calibration.fit import fit_labels, fit_length, fit_margins, fit_moments
from reward_gateway.operations.calibration.logistic import FitError
from reward_gateway.operations.calibration.stored import SETS
from reward_gateway.operations.transform.running_scale import LARGEST
from reward_gateway.sample import FloatArray
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.body_digest import digest_body
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.recorded_answers import decode_results, encode_results
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.sets import format_address
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

MOST_POINTS = 100_000
"""Points, or pairs, of one calibration."""

FRACTION = 2.0 / 3.0
"""Share of the points that count at each length, as Cleveland suggests."""

LONG_FIT = 8_192
"""Bytes of a body whose fit may take so long that the event loop should not wait for it."""


class CalibrationPoint(msgspec.Struct, forbid_unknown_fields=True):
    """A score with what is known of it: whether it was right (1, 0, true, false), or how long its response was."""

    score: float
    label: bool | float | None = None
    length: float | None = None


class CalibrationPair(msgspec.Struct, forbid_unknown_fields=True):
    """The scores of two responses to a prompt, of which the first was preferred."""

    chosen: float
    rejected: float


class CalibrationUpload(msgspec.Struct, forbid_unknown_fields=True):
    """Points or pairs, and what is to be fitted on them; ``fraction`` belongs to ``length``."""

    method: Method = "platt"
    points: list[CalibrationPoint] = []
    pairs: list[CalibrationPair] = []
    fraction: float | None = None


def read_calibration_body(max_nesting: int, body: bytes) -> Calibration:
    """Decode an upload and fit it; in whichever process.

    Raises:
        MalformedBody, InvalidRequest, TooLarge: the body is none, or nothing can be fitted on it.
    """
    upload = decode_as(CalibrationUpload, max_nesting, body, check=True)
    name = "pairs" if upload.pairs else "points"
    given = upload.pairs or upload.points
    if upload.pairs and upload.points:
        raise InvalidRequest("give points or pairs, not both", param="pairs")
    if len(given) > MOST_POINTS:
        raise TooLarge(f"{name}: at most {MOST_POINTS:,} of them are fitted; send a sample", param=name)
    if len(given) < 2:
        raise InvalidRequest(f"{name}: give at least two, better hundreds", param=name)
    if upload.fraction is not None and (upload.method != "length" or not 0 < upload.fraction <= 1):
        raise InvalidRequest("fraction: a number above 0 up to 1, for the method length alone", param="fraction")
    try:
        return _fit_pairs(upload) if upload.pairs else _fit_points(upload)
    except FitError as error:
        raise InvalidRequest(f"{name}: {error}", param=name) from None


def _fit_pairs(upload: CalibrationUpload) -> Calibration:
    if upload.method in ("moments", "length"):
        raise InvalidRequest(f"pairs: {upload.method} is fitted on points", param="pairs")
    chosen = _read_numbers("pairs", "chosen", [pair.chosen for pair in upload.pairs])
    return fit_margins(
        upload.method, chosen - _read_numbers("pairs", "rejected", [pair.rejected for pair in upload.pairs])
    )


def _fit_points(upload: CalibrationUpload) -> Calibration:
    _refuse_other_fields(upload)
    scores = _read_numbers("points", "score", [point.score for point in upload.points])
    match upload.method:
        case "moments":
            return fit_moments(scores)
        case "length":
            lengths = _read_numbers("points", "length", [point.length for point in upload.points])
            if (below := np.flatnonzero(lengths < 0)).size:
                _refuse("points", int(below[0]), "length", "a length is at least 0")
            return fit_length(lengths, scores, FRACTION if upload.fraction is None else upload.fraction)
        case _:
            labels = _read_numbers("points", "label", [point.label for point in upload.points])
            if (other := np.flatnonzero((labels != 0) & (labels != 1))).size:
                _refuse("points", int(other[0]), "label", "expected 1 or 0, true or false")
            return fit_labels(upload.method, scores, labels == 1)


def _refuse_other_fields(upload: CalibrationUpload) -> None:
    for name, methods in (("label", ("platt", "isotonic", "temperature")), ("length", ("length",))):
        if upload.method not in methods:
            place = next((i for i, point in enumerate(upload.points) if getattr(point, name) is not None), None)
            if place is not None:
                _refuse(
                    "points", place, name, f"{upload.method} does not read it; leave it out, or name another method"
                )


def _read_numbers(of: str, name: str, values: Sequence[float | None]) -> FloatArray:
    """[n] numbers; the first that is missing or too large is refused with its place."""
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    if (missing := np.flatnonzero(np.isnan(numbers))).size:
        _refuse(of, int(missing[0]), name, f"missing; this method needs a {name} of every one")
    if (large := np.flatnonzero(np.abs(numbers) > LARGEST)).size:
        _refuse(of, int(large[0]), name, f"larger than {LARGEST:g}")
    return numbers


def _refuse(of: str, place: int, name: str, why: str) -> NoReturn:
    param = f"{of}[{place}].{name}"
    raise InvalidRequest(f"{param}: {why}", param=param)


async def put_calibration(
    runtime: EffectsRuntime, name: str, fitted: Calibration, body: bytes, scope: RequestScope
) -> dict[str, Any]:
    """Keep a fit under a name, in place of an earlier one; answers as :func:`describe_calibration`.

    Args:
        body: the upload, by which a repeat of an idempotency key is told from another request.

    Raises:
        StateUnavailable: the state store is unavailable.
        IdempotencyConflict: the idempotency key was already used with another body.
    """
    store = partial(_store, runtime, name, fitted, scope)
    address = scope.make_attempt_address("calibrations", name)
    if address is None:
        return await store()
    return await runtime.attempts.answer_once(address, digest_body(body), None, store, decode_results)


async def _store(
    runtime: EffectsRuntime, name: str, fitted: Calibration, scope: RequestScope, attempt: Attempt | None = None
) -> dict[str, Any]:
    state = runtime.state.within(scope.space)
    await state.sets.put(SETS, name, fitted.model_dump(mode="json"))
    answer = await describe_calibration(state, name)
    if attempt is not None:  # storing it twice would change nothing: the record may come last
        await runtime.commit(StateWrites(scope.space), attempt, encode_results(answer))
    return answer


async def describe_calibration(state: StateStore, name: str) -> dict[str, Any]:
    """``name``, ``version``, and the fields of :class:`Calibration`.

    Raises:
        NotFound: none is stored under the name.
        InvalidRequest: what was imported under the name is no calibration.
    """
    try:
        stored = await state.export_value("sets", format_address(SETS, name))
    except NotFound:
        raise NotFound(f"there is no calibration {name!r}; PUT /v1/calibrations/{name} stores one") from None
    try:
        fitted = Calibration.model_validate(stored["value"])
    except ValueError:
        raise InvalidRequest(f"what is stored as calibration {name!r} is none; store it again", param="name") from None
    return {"name": name, "version": stored["version"], **fitted.model_dump(mode="json")}


async def list_calibrations(state: StateStore) -> list[dict[str, Any]]:
    """``name`` and ``version`` of each, by name."""
    begin = format_address(SETS, "")
    return [
        {"name": row["name"].removeprefix(begin), "version": row["version"]}
        for row in await state.list_names("sets")
        if row["name"].startswith(begin)
    ]


async def delete_calibration(state: StateStore, name: str) -> None:
    """Delete what is stored under a name. Raises NotFound: nothing is."""
    try:
        await state.reset("sets", format_address(SETS, name))
    except NotFound:
        raise NotFound(f"there is no calibration {name!r}") from None
