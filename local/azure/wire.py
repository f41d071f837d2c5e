"""Requests, responses, Azure's error envelopes, and the router with which each service finds its functions."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, in the normal form that all simulated services read."""

    method: str
    """The method, in upper case."""
    host: str
    """The host name in lower case, without the port."""
    path: str
    """The path, still percent-encoded."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The decoded query, by key in lower case."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers, by name in lower case."""
    body: bytes = b""
    query_text: str = ""
    """The query as the client wrote it, still percent-encoded."""

    def json(self) -> Any:  # noqa: ANN401 - JSON of a client
        """Return the request body as JSON, or an empty object if the body is empty.

        Raise ValueError if the request body is not JSON.
        """
        return json.loads(self.body) if self.body else {}

    @classmethod
    def to(
        cls,
        method: str,
        url: str,
        payload: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Request":
        """Return the request that a client would send to this URL with this JSON payload."""
        parts = urlsplit(url)
        return cls(
            method=method.upper(),
            host=(parts.hostname or "").lower(),
            path=parts.path,
            query=read_query(parts.query),
            headers={name.lower(): value for name, value in (headers or {}).items()},
            body=b"" if payload is None else json.dumps(payload).encode(),
            query_text=parts.query,
        )


def read_query(text: str) -> dict[str, str]:
    """Return the decoded query parameters, by key in lower case.

    If a query key repeats, the last value of the key counts.
    """
    return {key.lower(): value for key, value in parse_qsl(text, keep_blank_values=True)}


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:  # noqa: ANN401 - JSON of a service
        """Return the response body as JSON, or None if the response has no body."""
        return json.loads(self.body) if self.body else None

    def adding(self, headers: Mapping[str, str]) -> "Response":
        """Return the response with further headers."""
        return replace(self, headers={**self.headers, **headers})


class Drop(Exception):
    """An exception that makes the server close the connection without a response."""


class Refused(Exception):
    """An exception with which a service refuses a request; the exception carries the response."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status, response.body[:200])
        self.response = response


Service = Callable[[Request], Response]
RoutedFunction = Callable[[Request, Mapping[str, str]], Response]


def json_response(status: int, payload: object, **headers: str) -> Response:
    """Return a response with a JSON body; underscores in header names become dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, {"content-type": "application/json; charset=utf-8", **named}, json.dumps(payload).encode())


def arm_error(status: int, code: str, message: str, **headers: str) -> Response:
    """Return an error in the JSON form of ARM's front door and of most resource providers."""
    return json_response(status, {"error": {"code": code, "message": message}}, **headers)


def vault_error(status: int, code: str, message: str, inner: str | None = None, **headers: str) -> Response:
    """Return an error in the form of Key Vault's data plane.

    `inner` is the value of Key Vault's field `innererror.code`.
    """
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner}
    return json_response(status, {"error": error}, **headers)


def web_error(
    status: int,
    code: str,
    extended_code: str | None,
    template: str,
    *parameters: str,
    **headers: str,
) -> Response:
    """Return an error in the form of Microsoft.Web: in PascalCase, and without an enclosing `error` object.

    The JSON form of Microsoft.Web's errors is taken from recorded azure-cli traffic.
    """
    message = template.format(*parameters)
    entity: dict[str, object] = {"Code": code, "Message": message}
    if extended_code:
        entity |= {"ExtendedCode": extended_code, "MessageTemplate": template, "Parameters": list(parameters)}
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": entity}]
    payload = {"Code": code, "Message": message, "Target": None, "Details": details, "Innererror": None}
    return json_response(status, payload, **headers)


class Router:
    """A router that finds the function for a method and a path.

    Literal segments of a route match in upper or lower case. The router percent-decodes the parameters in a path.
    """

    def __init__(self, unmatched: Service) -> None:
        """Answer requests that fit no route with the function `unmatched`."""
        self._unmatched = unmatched
        self._routes: dict[tuple[str, int], list[tuple[tuple[str, ...], RoutedFunction]]] = {}

    def add(self, method: str, template: str, function: RoutedFunction) -> None:
        """Route requests with this method and a path like `template` to the function; the first matching route wins.

        A template looks like "/subscriptions/{subscription}/…".
        """
        segments = tuple(template.split("/"))
        self._routes.setdefault((method.upper(), len(segments)), []).append((segments, function))

    def dispatch(self, request: Request) -> Response:
        """Return the response of the function whose route matches the request."""
        segments = request.path.split("/")
        for template, function in self._routes.get((request.method, len(segments)), []):
            parameters = _match(template, segments)
            if parameters is not None:
                return function(request, parameters)
        return self._unmatched(request)

    def knows(self, path: str) -> bool:
        """Return True if the path fits a route of any method."""
        segments = path.split("/")
        templates = (
            template
            for (_, length), routes in self._routes.items()
            if length == len(segments)
            for template, _ in routes
        )
        return any(_match(template, segments) is not None for template in templates)


def _match(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for expected, raw in zip(template, segments, strict=True):
        if expected.startswith("{") and raw:
            parameters[expected[1:-1]] = unquote(raw)
        elif expected.lower() != unquote(raw).lower():
            return None
    return parameters
