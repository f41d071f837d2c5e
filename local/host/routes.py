"""Match requests to HTTP triggers by route template, method and authorization level."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local.host import triggers
from local.host.configuration import ConfigurationInvalid
from local.host.dispatch import Start
from local.host.functions import FunctionMetadata, Outcome
from local.host.keys import Keys
from local.host.web import Request, Response, text

TRIGGER = "httpTrigger"
PARAMETER = re.compile(r"\{(?P<all>\*{1,2})?(?P<name>\w+)(?::(?P<constraint>[^{}?]+))?(?P<optional>\?)?\}")
REGEX_CONSTRAINT = re.compile(r"regex\((.*)\)")
CONSTRAINTS = {"int": r"^-?\d+$", "alpha": r"^[a-z]+$", "guid": r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
ALL_METHODS = ("GET", "POST", "DELETE", "HEAD", "PATCH", "PUT", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a function with an HTTP trigger."""

    function: FunctionMetadata
    template: str
    pattern: re.Pattern[str]
    constraints: Mapping[str, re.Pattern[str]]
    methods: tuple[str, ...]
    level: str

    @classmethod
    def of(cls, function: FunctionMetadata, prefix: str) -> "Route":
        """Return the route of a function, from its trigger binding."""
        trigger = function.trigger
        template = "/".join(part for part in (prefix, str(trigger.get("route") or function.name).strip("/")) if part)
        methods = tuple(str(method).upper() for method in trigger.get("methods") or ALL_METHODS)
        level = str(trigger.get("authLevel") or "function").lower()
        return cls(function, template, _pattern(template), _constraints(template), methods, level)

    def values(self, request: Request) -> dict[str, str] | None:
        """Return the route values of a request to this route, or None for any other request."""
        match = self.pattern.fullmatch(request.path)
        if match is None or request.method not in self.methods:
            return None
        values = {name: value for name, value in match.groupdict().items() if value is not None}
        fits = all(rule.search(values[name]) for name, rule in self.constraints.items() if name in values)
        return values if fits else None


class Routes:
    """The routes of all functions with an HTTP trigger."""

    def __init__(self, routes: Iterable[Route], start: Start, keys: Keys) -> None:
        self._keys = keys
        self._routes = sorted(routes, key=lambda route: (route.template.count("{"), -len(route.template)))
        self._start = start

    def answer(self, request: Request) -> Response:
        """Return the answer of the function whose route matches the request.

        A function with the route `/` and an empty `routePrefix` answers at the root of the Functions host. The host
        answers 404 if no route matches, 401 without the key of the function's level, and 500 if the function failed.
        """
        for route in self._routes:
            values = route.values(request)
            if values is not None:
                return self._invoke(route, request, values) if self._authorized(route.level, request) else Response(401)
        return Response(404)

    def _authorized(self, level: str, request: Request) -> bool:
        accepted = () if level == "admin" else (self._keys.function,)
        return level == "anonymous" or self._keys.refusal(request, *accepted) is None

    def _invoke(self, route: Route, request: Request, values: Mapping[str, str]) -> Response:
        trigger = triggers.http(request.method, request.url, request.headers, values, request.body)
        return _response(self._start(route.function, trigger).result())


def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for segment in template.split("/"):
        match = PARAMETER.fullmatch(segment)
        if match is None:
            parts.append("/" + re.escape(segment))
        elif match["all"]:
            parts.append(f"(?:/(?P<{match['name']}>.*))?")
        else:
            part = f"/(?P<{match['name']}>[^/]+)"
            parts.append(f"(?:{part})?" if match["optional"] else part)
    return re.compile("".join(parts).removeprefix("/"), re.IGNORECASE)


def _constraints(template: str) -> dict[str, re.Pattern[str]]:
    found = (PARAMETER.fullmatch(segment) for segment in template.split("/"))
    return {match["name"]: _constraint(match["constraint"]) for match in found if match and match["constraint"]}


def _constraint(text: str) -> re.Pattern[str]:
    expression = REGEX_CONSTRAINT.fullmatch(text)
    rule = expression[1] if expression else CONSTRAINTS.get(text)
    if rule is None:
        raise ConfigurationInvalid(f"route constraint {text!r} is not part of the local host")
    return re.compile(rule, re.IGNORECASE)


def _response(outcome: Outcome) -> Response:
    if not outcome.succeeded:
        return Response(500)
    returned = outcome.returned
    if returned is None or returned.type is None:
        return Response(204)
    if returned.type != "http":
        return text(200, str(returned.value))
    return _http(returned.value)


def _http(value: Mapping[str, Any]) -> Response:
    headers = [(name, str(datum.value)) for name, datum in value["headers"].items()]
    morsels = [morsel for cookie in value["cookies"] or () for morsel in cookie.values()]
    headers += [("Set-Cookie", morsel.OutputString()) for morsel in morsels]
    return Response(int(value["status_code"].value), bytes(value["body"].value), tuple(headers))
