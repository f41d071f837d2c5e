"""Follow the log of the product: the last run of each vault object and environment, or else the last sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, field

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
    detail: str = ""
    """What the run waits for, or has found."""
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
    """The last run of each vault object, by `vault/name`, and of each environment, by `group/name`, in lower case."""

    def __init__(self) -> None:
        self.by_subject: dict[str, LastRun] = {}
        self._planned: dict[str, _Planned] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Read the next events of the log, oldest first."""
        for event in events:
            match event["event"]:
                case "certificate.reconciled":
                    self.by_subject[_name(event)] = _ended(event)
                case "environment.reconciled":
                    self.by_subject[str(event["environment"]).lower()] = _ended(event)
                case "sweep.started":
                    self._planned.clear()
                case "plan.computed":
                    self._planned[_name(event)] = _Planned(event[LOGGED_AT])
                case "plan.listed" if event["list"] == "skips" and _name(event) in self._planned:
                    self._planned[_name(event)].reasons.update(str(row["reason"]) for row in event["rows"])
                case "sweep.judged":
                    self._end_sweep(event)

    def _end_sweep(self, judged: Event) -> None:
        """Keep what the sweep planned. A vault object with work gets a run of its own after the sweep."""
        enqueued = {str(name).lower() for name in judged["enqueued"]}
        plans = {name: plan.as_run() for name, plan in self._planned.items() if name not in enqueued}
        self.by_subject |= {name: plan for name, plan in plans.items() if plan.replaces(self.by_subject.get(name))}


@dataclass(slots=True)
class _Planned:
    """A plan that a sweep has made."""

    at: str
    reasons: set[str] = field(default_factory=set)
    """Why Certroll leaves something alone."""

    def as_run(self) -> LastRun:
        return LastRun(f"Swept: {', '.join(sorted(self.reasons)) or NOTHING_TO_DO}", self.at, is_sweep=True)


def _name(event: Event) -> str:
    return str(event["certificate"]).lower()


def _ended(event: Event) -> LastRun:
    text = f"{event['outcome']}: {event['reason']}" if event.get("reason") else str(event["outcome"])
    return LastRun(text, event[LOGGED_AT], event.get("detail") or "")
