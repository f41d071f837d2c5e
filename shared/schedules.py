"""Read when the timers run, and refuse a text that the Functions host could not read.

A schedule in a binding that the Functions host cannot read would disable its timer, so the app reads the settings
itself (ADR 10).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

HOURLY = "0 0 * * * *"
"""The NCRONTAB schedule of the sweep if no schedule is set."""
SCHEDULE_FIELDS = 6
_NCRONTAB = re.compile(r"[\d*/,\s-]+")
_CALENDAR_NAMES = re.compile(r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)\b")
_REFERENCE = re.compile(r"@Microsoft\.(KeyVault|AppConfiguration)\(", re.IGNORECASE)
_SOURCES = {"keyvault": "Key Vault", "appconfiguration": "App Configuration"}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A setting that says when a timer runs. Each timer has a schedule that it takes if its setting is bad."""

    name: str
    default: str
    fallback: str
    """What Certroll does if the setting is bad, for the message about it."""

    def read(self, text: str) -> tuple[str, str | None]:
        """Return the NCRONTAB schedule in the text, or the default for an empty or bad text, and what is bad."""
        text = text.strip()
        problem = _schedule_problem(text) if text else None
        if problem is not None:
            return self.default, f"{self.name}: {problem}; Certroll {self.fallback}"
        return text or self.default, None


SWEEP_SCHEDULE = Schedule("CERTROLL_SWEEP_SCHEDULE", HOURLY, "sweeps hourly")
COMPLIANCE_SCHEDULE = Schedule("CERTROLL_COMPLIANCE_SCHEDULE", "0 30 5 * * *", "checks the fleet daily at 05:30 UTC")


SCHEDULES = frozenset({SWEEP_SCHEDULE.name, COMPLIANCE_SCHEDULE.name})
"""The settings of all timers that have one."""


def _schedule_problem(text: str) -> str | None:
    """Return why a text is no NCRONTAB schedule, or None if it is one."""
    if (reference := unresolved(text)) is not None:
        return reference
    from croniter import croniter  # noqa: PLC0415 - most installations set no schedule

    plain = _CALENDAR_NAMES.sub("0", text.lower())
    if len(text.split()) != SCHEDULE_FIELDS or not _NCRONTAB.fullmatch(plain) or "7" in plain.split()[-1]:
        return "give six fields of digits, names of months and days, and * , - / only, as in '0 0 * * * *'"
    if not croniter.is_valid(text, second_at_beginning=True):
        return f"{text[:60]!r} is not an NCRONTAB schedule"
    if not _ever_comes(croniter(text, 0, second_at_beginning=True).get_next):
        return f"{text[:60]!r} never comes, as 31 February"
    return None


def unresolved(text: str) -> str | None:
    """Return the problem of a setting that holds the text of a reference, or None.

    If App Service cannot resolve a reference, the app gets the text of the reference (Azure docs, "Use Key Vault
    references", "Troubleshoot"; "Use App Configuration references").
    """
    reference = _REFERENCE.match(text.strip())
    if reference is None:
        return None
    source = _SOURCES[reference[1].lower()]
    return (
        f"App Service could not resolve the reference to {source}; grant the Function App's identity the right to read"
    )


def _ever_comes(next_time: Callable[[], object]) -> bool:
    try:
        next_time()
    except ValueError:  # croniter looks 50 years ahead
        return False
    return True
