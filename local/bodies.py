"""Check the bodies of requests to the control port, so that a mistake is told at once and by the name of its field.

A body is described by the annotations of a class, such as the fields of `Fault`.
"""

import dataclasses
import ipaddress
import math
import re
import types
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from local.azure.dns.zones import Kind
from local.azure.scripting.faults import Fault
from local.azure.wire import Request

Hints = Mapping[str, Any]
"""The types of the fields of a body, by name."""
WORDS: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    datetime: "a time with its offset, such as 2026-11-21T12:00:00+00:00",
    type(None): "null",
    Collection[str]: "a list of texts",
    Mapping[str, str]: "an object of texts",
}
"""How an answer calls each type of a field."""
HIGHEST = 10**9
"""The highest number in a body: about 30 years, as seconds."""
PATTERNS = ("method", "host", "path")
"""The fields of a fault that are regular expressions."""
STATUSES = range(200, 600)
"""The statuses of an answer that ends a request."""


class WrongBody(ValueError):
    """The body of a request cannot be used. The message of `WrongBody` names the field and what the field can be."""


LEAST: Mapping[str, int] = {"page_size": 1, "serial_octets": 1, "advance": -HIGHEST}
"""The lowest number of these fields. Each other number is 0 or more."""
YEARS = range(1970, 2200)
"""The years of a time: a certificate and the clock of the world can hold them."""
KeySize = Literal[256, 384, 521, 2048, 3072, 4096]
"""The sizes of the keys that Key Vault makes."""


def hints_of(described: type) -> dict[str, Any]:
    """Return the types of the fields of a class. A field that nobody can set is left out."""
    hints = get_type_hints(described)
    if dataclasses.is_dataclass(described):
        hints = {field.name: hints[field.name] for field in dataclasses.fields(described) if field.init}
    if "key_size" in hints:
        hints["key_size"] = KeySize
    return hints


def read_json(body: Request) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the JSON of a request. Raise WrongBody for a body that is no JSON."""
    try:
        return body.json()
    except (ValueError, RecursionError) as wrong:
        raise WrongBody(f"The body is no JSON: {wrong}.") from wrong


def read_body(wanted: object, hints: Hints, needed: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of a body, with times as `datetime`.

    Raise WrongBody if the body is no object, has an unknown field, lacks a needed field, or has a wrong value.
    """
    if not isinstance(wanted, dict):
        raise WrongBody("The body has to be a JSON object.")
    if unknown := sorted(set(wanted) - set(hints)):
        raise WrongBody(f"There is no field {', '.join(unknown)}; there are: {', '.join(sorted(hints)) or 'none'}.")
    if missing := sorted(set(needed) - set(wanted)):
        raise WrongBody(f"The body lacks: {', '.join(missing)}.")
    return {name: _value(name, value, hints[name]) for name, value in wanted.items()}


def read_fault(wanted: object) -> Fault:
    """Return the fault that a body describes. Raise WrongBody if the fault could not strike."""
    read = read_body(wanted, hints_of(Fault), ["kind"])
    for name in PATTERNS:
        _check_pattern(name, read.get(name, ""))
    if read.get("status", STATUSES[0]) not in STATUSES:
        raise WrongBody(f"status has to be a whole number from {STATUSES[0]} to {STATUSES[-1]}, not {read['status']}.")
    return Fault(**read)


def read_record(wanted: object) -> tuple[str, Kind, str]:
    """Return the name, the kind and the value of a DNS record. Raise WrongBody for an address that is none."""
    read = read_body(wanted, {"name": str, "kind": Kind, "value": str}, ["name", "kind", "value"])
    name, kind, value = read["name"], read["kind"], read["value"]
    version = {"A": 4, "AAAA": 6}.get(kind)
    if version is not None and not _is_address(value, version):
        raise WrongBody(f"value of the kind {kind} has to be an IPv{version} address, not {_short(value)}.")
    return name, kind, value


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _check_pattern(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise WrongBody(f"{name} has to be a regular expression, not {pattern!r}: {wrong}.") from wrong


def _value(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return the value of a field. Raise WrongBody, with what the field can be, for a value of another type."""
    for kind in _kinds(hint):
        if kind is datetime and isinstance(value, str):
            if (moment := _moment(value)) is not None:
                return moment
        elif _fits(value, kind):
            _check_least(name, value)
            return value
    raise WrongBody(f"{name} has to be {_in_words(hint)}, not {_short(value)}.")


def _check_least(name: str, value: object) -> None:
    least = LEAST.get(name, 0)
    if isinstance(value, int | float) and value < least:
        raise WrongBody(f"{name} has to be {least} or more, not {value}.")


def _kinds(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any annotation
    return get_args(hint) if get_origin(hint) in {Union, types.UnionType} else (hint,)


def _fits(value: Any, kind: Any) -> bool:  # noqa: ANN401 - whatever JSON can hold
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if kind == Collection[str]:
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    if kind == Mapping[str, str]:
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    if kind in {int, float}:
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and abs(value) <= HIGHEST
    return isinstance(value, kind)


def _moment(text: str) -> datetime | None:
    """Return the time, or None for a text that is no time with an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and moment.year in YEARS else None


def _in_words(hint: Any) -> str:  # noqa: ANN401 - any annotation
    return " or ".join(_words_of(kind) for kind in _kinds(hint))


def _words_of(kind: Any) -> str:  # noqa: ANN401 - any annotation
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return WORDS[kind]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004 - what a line can show
