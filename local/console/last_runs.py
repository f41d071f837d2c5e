"""Follow the log of the product: what the last run, or else the last sweep, has found of each vault object."""

from collections.abc import Iterable
from dataclasses import dataclass

from local.console.log import LOGGED_AT, Event

STALLED = "Stalled"
"""The outcome of a run that waits for a person."""
NOTHING_TO_DO = "nothing to do"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The end of a run of a vault object, or what a sweep planned for a vault object without work."""

    text: str
    """The outcome with its reason, such as `Stalled: VersionHeld`."""
    at: str
    """When the run ended or the sweep planned, as ISO 8601."""
    is_sweep: bool = False

    @property
    def has_stalled(self) -> bool:
        """True if the run waits for a person."""
        return self.text.startswith(STALLED)

    def replaces(self, last: "LastRun | None") -> bool:
        """Return True if this plan of a sweep says more than the last run.

        An idle sweep shows that a stalled run waits for nobody any more.
        """
        return last is None or last.is_sweep or (last.has_stalled and self.text.endswith(NOTHING_TO_DO))


class LastRuns:
    """The last run of each vault object, by `vault/name` in lower case."""

    def __init__(self) -> None:
        self.by_certificate: dict[str, LastRun] = {}
        self._planned: dict[str, LastRun] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Read the next events of the log, oldest first."""
        for event in events:
            match event["event"]:
                case "certificate.reconciled":
                    self.by_certificate[_name(event)] = LastRun(_outcome(event), event[LOGGED_AT])
                case "sweep.started":
                    self._planned.clear()
                case "plan.computed" if event.get("part", 1) == 1:
                    self._planned[_name(event)] = LastRun(_planned(event), event[LOGGED_AT], is_sweep=True)
                case "sweep.completed":
                    self._end_sweep(event)

    def _end_sweep(self, completed: Event) -> None:
        """Keep what the sweep planned. A vault object with work gets a run of its own after the sweep."""
        enqueued = {str(name).lower() for name in completed["enqueued"]}
        self.by_certificate |= {
            name: plan
            for name, plan in self._planned.items()
            if name not in enqueued and plan.replaces(self.by_certificate.get(name))
        }


def _name(event: Event) -> str:
    return str(event["certificate"]).lower()


def _outcome(event: Event) -> str:
    return f"{event['outcome']}: {event['reason']}" if event.get("reason") else str(event["outcome"])


def _planned(event: Event) -> str:
    reasons = sorted({str(skip["reason"]) for skip in event["skips"]})
    return f"Swept: {', '.join(reasons) or NOTHING_TO_DO}"
