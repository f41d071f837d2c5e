"""Read the values of settings that are a duration, an object id or a switch."""

import re
from datetime import timedelta

from shared.domain.fleet.vault_access import APPLICATION_IDS

_OBJECT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def parse_duration(text: str) -> timedelta:
    """Return a duration from a number with its unit, such as 90s, 15m, 1h or 2d. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("write a duration as a number with its unit: 90s, 15m, 1h or 2d")
    return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})


def parse_object_id(text: str) -> str:
    """Return an object id of Entra in lower case.

    Raises ValueError if the value is no object id, and for a known application id.
    """
    lowered = text.strip().lower()
    if not _OBJECT_ID.fullmatch(lowered):
        raise ValueError("give an object id, as `az ad sp show --id APPLICATION --query id -o tsv` prints it")
    if lowered in APPLICATION_IDS:
        raise ValueError("this is the application id; `az ad sp show --id` with it prints the object id")
    return lowered


def parse_switch(text: str) -> bool:
    """Return True for on, true or 1, and False for off, false or 0, in upper or lower case. Raises ValueError."""
    switch = _SWITCH.get(text.strip().lower())
    if switch is None:
        raise ValueError("write on or off")
    return switch
