"""Show Certroll's newest plan of each certificate, and for which version the plan is."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from local.azure.scripting.clock import Clock
from local.console.client import ControlClient, Refused
from local.console.fleet_view import SHOWN, Row, newest_versions
from local.console.last_runs import LastRun, LastRuns
from local.console.log import LOGGED_AT, Event, Tail
from local.console.steering import choose, vault_objects
from local.running import Running
from local.screen import Screen

PLANNED = "plan.computed"
LISTED = "plan.listed"
MARKS = {"steps": "will do", "would": "would do", "skips": "left alone"}
"""What becomes of the rows of each list of a plan."""
DUE_THEN = "was to do"
"""The mark of a step if a run has ended since the plan: the outcome of that run says what became of the step."""
LOOK_EVERY = 0.25
LOOKS = 120
"""How often `plan` looks for the plan of a version that has just come."""
FRESH = timedelta(minutes=1)
"""The age up to which a version without a plan is on its way to Certroll. An older version waits for a sweep."""
Plans = dict[str, list[Event]]
"""The events of the newest plan of each certificate, by `vault/name` in lower case."""


def show_plans(running: Running, wanted: str | None, screen: Screen) -> None:
    """Print the newest plan of each certificate, or of the certificate that `wanted` names.

    Wait some seconds for the plan of a version that has just come. Raise Refused without a plan.
    """
    log, last_runs = Tail(running.log_file), LastRuns()

    def read() -> list[Event]:
        last_runs.follow(new := log.new())
        return new

    state = ControlClient(running).get("/state")
    versions = newest_versions(state)
    if wanted is not None:
        name = str(choose(wanted, vault_objects(state))).lower()
        versions = {name: versions[name]}
    coming = {name for name, version in versions.items() if is_fresh(version, datetime.fromisoformat(state["now"]))}
    plans = await_plans(read, {name: versions[name] for name in coming}, screen.line, threading.Event().wait)
    shown = {name: plans[name] for name in sorted(versions) if name in plans}
    if not shown:
        raise Refused(_without_plan(running, wanted, versions))
    now = Clock.real().now()
    for name, parts in shown.items():
        _show(screen, parts, versions[name], now, last_runs.by_subject.get(name))


def is_fresh(version: Row, now: datetime) -> bool:
    """Return True if the version is so young that Certroll may plan for it at this moment."""
    return now - datetime.fromisoformat(version["created"]) <= FRESH


def await_plans(
    read: Callable[[], Iterable[Event]],
    coming: Mapping[str, Row],
    say: Callable[[str], None],
    pause: Callable[[float], object],
) -> Plans:
    """Return the newest plans as soon as each coming version has a plan, or after `LOOKS` looks at the log."""
    plans: Plans = {}
    for look in range(LOOKS):
        add_plans(plans, read())
        missing = [name for name, version in coming.items() if not is_for(plans.get(name, []), version)]
        if not missing:
            break
        if look == 0:
            say(f"Waiting for Certroll's plan of {', '.join(sorted(missing))} …")
        pause(LOOK_EVERY)
    return plans


def add_plans(plans: Plans, events: Iterable[Event]) -> None:
    """Replace the older plans. The event PLANNED begins a plan, and each event LISTED has some of its rows."""
    for found in events:
        if found["event"] == PLANNED:
            plans[found["certificate"].lower()] = [found]
        elif found["event"] == LISTED and found["certificate"].lower() in plans:
            plans[found["certificate"].lower()].append(found)


def is_for(parts: list[Event], version: Row) -> bool:
    """Return True if the plan is for this version."""
    return bool(parts) and parts[0]["version"] == version["version"]


def told_of(parts: list[Event], newest: Row, now: datetime) -> str:
    """Return when Certroll made the plan, how old the plan is, and for which version the plan is."""
    at, thumbprint = datetime.fromisoformat(parts[0][LOGGED_AT]), newest["thumbprint"][:SHOWN]
    age = timedelta(seconds=max(0, round((now - at).total_seconds())))
    made = f"planned at {at:%H:%M:%S}, {_in_words(age)} ago"
    if is_for(parts, newest):
        return f"{made}, for the newest version {thumbprint}"
    return f"{made}, for an older version: Certroll has no plan yet for the newest version {thumbprint}"


def _in_words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    minutes = seconds // 60
    return f"{seconds} s" if minutes < 2 else f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - two


def told_of_run(last: LastRun | None) -> str:
    """Return the outcome of the certificate's last run, such as that the run waits for an app. Empty without a run."""
    if last is None or last.is_sweep:
        return ""
    detail = f" ({last.detail})" if last.detail else ""
    return f"the last run ended at {datetime.fromisoformat(last.at):%H:%M:%S}: {last.text}{detail}"


def entries(parts: list[Event], *, is_over: bool = False) -> list[tuple[str, str, str]]:
    """Return the rows of a plan as a mark with the reason, a subject and a detail.

    The mark before a change says that Certroll will make, would make, or does not make the change. `is_over`
    is True if a run has ended since the plan.
    """
    marks = {**MARKS, "steps": DUE_THEN} if is_over else MARKS
    listed = [(marks[part["list"]], row) for part in parts[1:] for row in part["rows"]]
    return [(f"{mark}: {row['reason']}", row["subject"], _detail(row)) for mark, row in listed]


def _detail(row: Row) -> str:
    """Return the detail of a row. A change that Certroll would make has what keeps Certroll from it instead."""
    waits = row.get("waits")
    kept = f"{row['why']} keeps Certroll from this step." if "why" in row else ""
    then = f" The step would still wait: {waits['reason']}. {waits['detail']}" if waits else ""
    return str(row.get("detail") or f"{kept}{then}")


def _show(screen: Screen, parts: list[Event], newest: Row, now: datetime, last: LastRun | None) -> None:
    screen.heading(parts[0]["certificate"])
    screen.note(told_of(parts, newest, now))
    if run := told_of_run(last):
        screen.note(run)
    is_over = last is not None and not last.is_sweep and last.at >= parts[0][LOGGED_AT]
    screen.entries(entries(parts, is_over=is_over), none="nothing to do in this plan")


def _without_plan(running: Running, wanted: str | None, versions: Mapping[str, Row]) -> str:
    whose = f" for {next(iter(versions))}" if wanted is not None else ""
    return (
        f"Certroll has made no plan yet{whose}. Let Certroll plan: {running.command('sweep')}\n"
        f"The log of the function app: {running.log}"
    )
