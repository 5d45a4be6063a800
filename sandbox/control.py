"""The side door every emulator has: move time, set faults, count requests.

Belongs here: the `/sandbox/…` routes, the same on each vendor's port.
Does not belong here: anything a vendor offers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.faults import Faults


def control_routes(
    clock: Clock, faults: Faults, requests: Counter[str], credentials: Mapping[str, str]
) -> list[Route]:
    """Return the side door's routes.

    `POST /sandbox/advance` takes `{"days": 7}` or `{"seconds": n}`; it and
    `GET /sandbox/clock` answer `{"now": iso}`. `POST /sandbox/faults` takes
    `{vendor: [fault, …]}` (see `sandbox.faults`), `GET /sandbox/requests` answers the
    counters, `GET /sandbox/credentials` what a client logs in with.

    Args:
        clock: `advance` of this object also moves the world that hangs on it.
        requests: counted by the emulator, by route.
    """

    async def advance(request: Request) -> Response:
        step = await _body(request)
        try:
            clock.advance(**step)
        except (TypeError, ValueError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"now": clock.now().isoformat()})

    async def show_clock(request: Request) -> Response:
        return _json({"now": clock.now().isoformat()})

    async def set_faults(request: Request) -> Response:
        try:
            faults.set(await _body(request))
        except msgspec.ValidationError as error:
            return _json({"error": str(error)}, 400)
        return _json({})

    async def show_requests(request: Request) -> Response:
        return _json(dict(requests))

    async def show_credentials(request: Request) -> Response:
        return _json(dict(credentials))

    return [
        Route("/sandbox/advance", advance, methods=["POST"]),
        Route("/sandbox/clock", show_clock),
        Route("/sandbox/faults", set_faults, methods=["POST"]),
        Route("/sandbox/requests", show_requests),
        Route("/sandbox/credentials", show_credentials),
    ]


async def _body(request: Request) -> Any:
    return msgspec.json.decode(await request.body() or b"{}")


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
