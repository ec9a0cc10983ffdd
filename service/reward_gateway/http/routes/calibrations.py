"""``/v1/calibrations``: what scores mean, fitted on uploaded points for `transform/calibrate` and its like."""

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.admin.calibrations import (
    LONG_FIT,
    CalibrationUpload,
    delete_calibration,
    describe_calibration,
    list_calibrations,
    put_calibration,
    read_calibration_body,
)
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.store import StateStore

from ..dependencies import deadline_of, dependencies_of, json_response, read_json_bytes
from ..openapi import IDEMPOTENCY_KEY, TENANT, describe, parameter
from ..ownership import owner_scope
from ..routing import raw_router
from ..wire.response import CalibrationAnswer, CalibrationList, StateReset

router = raw_router("state")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}")
_PATH = parameter(
    "name",
    "path",
    "Name of the calibration, as recipes write it: 1 to 128 letters, digits, `.`, `_`, `:`, `@` and `-`.",
)


def _name_of(request: Request) -> str:
    name: str = request.path_params["name"]
    if not _NAME.fullmatch(name):
        message = "a name is 1 to 128 letters, digits, dots, underscores, colons, @ and dashes"
        raise InvalidRequest(message, param="name")
    return name


def _state_of(request: Request) -> StateStore:
    return dependencies_of(request).gateway.runtime.state.within(owner_scope(request).space)


@router.get("/v1/calibrations", **describe("List calibrations", answer=CalibrationList, parameters=(TENANT,)))
async def listing(request: Request) -> Response:
    """The calibrations of the tenant, for all its runs, by name."""
    return json_response({"calibrations": await list_calibrations(_state_of(request))})


@router.put(
    "/v1/calibrations/{name}",
    **describe(
        "Fit and store a calibration",
        body=CalibrationUpload,
        answer=CalibrationAnswer,
        example={
            "method": "platt",
            "points": [
                {"score": -1.2, "label": 0},
                {"score": 0.1, "label": 0},
                {"score": 0.4, "label": 1},
                {"score": 2.0, "label": 1},
            ],
        },
        parameters=(_PATH, IDEMPOTENCY_KEY, TENANT),
    ),
)
async def put(request: Request) -> Response:
    """Fit on points or pairs and keep the fit, in place of an earlier one.

    Methods for `transform/calibrate`: `platt` (if none is named), `isotonic` and `temperature` on points with `score`
    and `label`, or on pairs with `chosen` and `rejected`, then of the margin; `moments` on points with `score`. For
    `transform/length_debias`: `length` on points with `score` and `length`; `fraction`. At most 100,000 points.
    """
    deps, name, body = dependencies_of(request), _name_of(request), await read_json_bytes(request)
    read = partial(read_calibration_body, deps.settings.max_nesting)
    fitted = await deps.intake.read(read, body, deadline_of(request), takes_long=len(body) > LONG_FIT)
    return json_response(await put_calibration(deps.gateway.runtime, name, fitted, body, owner_scope(request)))


@router.get(
    "/v1/calibrations/{name}",
    **describe("Show a calibration", answer=CalibrationAnswer, parameters=(_PATH, TENANT)),
)
async def show(request: Request) -> Response:
    """Its method, parameters or curve, and how good it was on its points before (the score as log-odds) and after.

    `log_loss`, `brier` and `ece` (ten bins) of labels; of `length` the correlation with it, and the spread.
    """
    return json_response(await describe_calibration(_state_of(request), _name_of(request)))


@router.delete(
    "/v1/calibrations/{name}",
    **describe("Delete a calibration", answer=StateReset, parameters=(_PATH, TENANT)),
)
async def delete(request: Request) -> Response:
    """What names it answers errors until another is stored."""
    await delete_calibration(_state_of(request), _name_of(request))
    return json_response({"reset": True})
