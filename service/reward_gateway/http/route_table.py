"""Which route answers a request: fixed paths by one lookup, then templates in their order."""

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from reward_gateway.errors import MethodNotAllowed, NotFound


class RouteTable:
    """The routes of an application.

    Args:
        routes: each with ``path`` and ``methods``; fixed paths, then templates, which are tried in their order.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._fixed: dict[tuple[str, str], Any] = {}
        self._at_path: dict[str, list[Any]] = {}
        self._templates: list[Any] = []
        for route in routes:
            path: str = getattr(route, "path")  # noqa: B009 (every kind of route that we use has one)
            methods = getattr(route, "methods", None) or ()
            if "{" in path:
                self._templates.append(route)
                continue
            self._at_path.setdefault(path, []).append(route)
            for method in methods:
                self._fixed.setdefault((method, path), route)

    def find(self, scope: Scope) -> Any:
        """The route of a request; ``route`` and ``path_params`` of its scope are set.

        Raises:
            NotFound: nothing is at the path.
            MethodNotAllowed: something is, for other methods, which the error lists.
        """
        method, path = scope["method"], scope["path"]
        route = self._fixed.get((method, path))
        if route is not None:
            scope["route"], scope["path_params"] = route, {}
            return route
        at_path = list(self._at_path.get(path, ()))
        for route in self._templates:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                scope["route"] = route
                return route
            if match is Match.PARTIAL:
                at_path.append(route)
        if not at_path:
            raise NotFound("there is nothing at this path; GET /openapi.json lists what there is")
        scope["route"] = at_path[0]
        raise MethodNotAllowed(
            "this path does not take this method; the Allow header lists those it does",
            allowed=sorted({method for route in at_path for method in route.methods}),
        )
