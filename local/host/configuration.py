"""Read host.json with the overrides of the app settings, and resolve binding expressions."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
TIME_SPAN = re.compile(
    r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}(?:\.\d{1,7})?))?"
)
QUIET_LEVELS = ("error", "critical", "none")
EXPRESSION = re.compile(r"%([^%]+)%")
Encoding = Literal["base64", "none"]


class ConfigurationInvalid(Exception):
    """The Functions host cannot use host.json or an app setting, as the error's message explains."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The section `extensions.queues` of host.json.

    The default values of the queue settings are from Azure docs, Queue storage bindings, host.json.
    """

    max_polling_interval: timedelta
    visibility_timeout: timedelta
    batch_size: int
    max_dequeue_count: int
    new_batch_threshold: int
    message_encoding: Encoding
    warns_of_missing: bool
    """True if `logging.logLevel` lets the .NET SDK warn of each request for a missing queue."""


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The parts of host.json that this Functions host respects."""

    queues: QueueSettings
    function_timeout: timedelta
    route_prefix: str


def read(app: Path, settings: Mapping[str, str]) -> HostSettings:
    """Return the app's host.json, overridden by the app settings `AzureFunctionsJobHost__a__b`."""
    merged = _load(app / "host.json")
    for name, value in settings.items():
        if name.lower().startswith(OVERRIDE_PREFIX.lower()):
            _set(merged, name[len(OVERRIDE_PREFIX) :].split("__"), value)
    http = _section(merged, "extensions", "http")
    return HostSettings(
        queues=_queues(_section(merged, "extensions", "queues"), _section(merged, "logging", "loglevel")),
        function_timeout=time_span(str(merged.get("functiontimeout", "00:05:00")), "functionTimeout"),
        route_prefix=str(http.get("routeprefix", "api")).strip("/"),
    )


def resolve(expression: str, settings: Mapping[str, str]) -> str:
    """Return the text with every `%NAME%` replaced by the value of the app setting NAME."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in settings:
            raise ConfigurationInvalid(f"'%{match[1]}%' does not resolve to a value: the app setting is missing")
        return settings[match[1]]

    return EXPRESSION.sub(value, expression)


def time_span(text: str, name: str) -> timedelta:
    """Return the value of a .NET time span in the form `hh:mm:ss`.

    A time span may have days before a dot, as in `1.02:00:00`. A time span may have fractions of a second after a dot,
    as in `00:00:00.25`.
    """
    match = TIME_SPAN.fullmatch(text)
    if match is None:
        raise ConfigurationInvalid(f"{name}: {text!r} is not a time span such as 00:02:00")
    parts = {unit: float(value or 0) for unit, value in match.groupdict().items()}
    return timedelta(**parts)


def _queues(section: Mapping[str, Any], levels: Mapping[str, Any]) -> QueueSettings:
    batch_size = _integer(section, "batchSize", 16)
    encoding: Encoding = "none" if str(section.get("messageencoding", "base64")).lower() == "none" else "base64"
    return QueueSettings(
        max_polling_interval=time_span(str(section.get("maxpollinginterval", "00:01:00")), "maxPollingInterval"),
        visibility_timeout=time_span(str(section.get("visibilitytimeout", "00:00:00")), "visibilityTimeout"),
        batch_size=batch_size,
        max_dequeue_count=_integer(section, "maxDequeueCount", 5),
        new_batch_threshold=_integer(section, "newBatchThreshold", batch_size // 2),
        message_encoding=encoding,
        warns_of_missing=str(levels.get("azure.core", levels.get("default", ""))).lower() not in QUIET_LEVELS,
    )


def _integer(section: Mapping[str, Any], name: str, default: int) -> int:
    text = str(section.get(name.lower(), default))
    if not text.isdecimal():
        raise ConfigurationInvalid(f"extensions.queues.{name}: {text!r} is not a number")
    return int(text)


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigurationInvalid(
            f"{path} is missing: a function app needs a host.json with at least {{'version': '2.0'}}"
        )
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ConfigurationInvalid(f"{path} is not JSON: {problem}") from problem
    if not isinstance(loaded, dict) or loaded.get("version") != "2.0":
        raise ConfigurationInvalid(f"{path}: 'version' must be '2.0'")
    return _lowered(loaded)


def _lowered(section: dict[str, Any]) -> dict[str, Any]:
    # .NET configuration does not distinguish upper and lower case.
    return {name.lower(): _lowered(value) if isinstance(value, dict) else value for name, value in section.items()}


def _section(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = tree
    for name in path:
        found = found.get(name, {})
    return found if isinstance(found, dict) else {}


def _set(tree: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = (name.lower() for name in path)
    for name in parents:
        tree = tree.setdefault(name, {})
    tree[last] = value
