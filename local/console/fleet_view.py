"""Gather what `watch` shows: host names, the runs of certificates, apps, and findings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.console.last_runs import LastRun

SHOWN = 8
"""How many characters of a thumbprint a person needs to tell two versions apart."""
NO_ANSWER = "no answer"
NOTHING = "-"
Row = Mapping[str, Any]
"""A row of one of the product's tables."""
FROM_START = "the start"
SEVERITIES = ("info", "low", "medium", "high", "critical")
"""The severities of findings, the most severe last."""


@dataclass(frozen=True, slots=True)
class Served:
    """A host name, with the certificate that it serves."""

    host: str
    site: str
    thumbprint: str
    """The first characters of the thumbprint, or `no answer`."""
    since: str
    """The time of day from which the host name serves the certificate, or `FROM_START`."""
    is_newest: bool
    """True if the certificate is the newest version of its vault object."""


@dataclass(frozen=True, slots=True)
class Run:
    """How far Certroll is with a vault object."""

    certificate: str
    newest: str
    """The first characters of the newest version's thumbprint."""
    outcome: str
    """The outcome of the last run with its reason, or what the last sweep found."""
    states: str
    """How many sites and apps are in which state."""


@dataclass(frozen=True, slots=True)
class EnvironmentState:
    """An App Service Environment."""

    name: str
    roots: str
    """The first characters of the thumbprints of the environment's roots."""
    outcome: str
    """The outcome of the environment's last run with its reason."""
    apps: str
    """How many apps are in which state for the newest root."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding."""

    at: str
    severity: str
    reason: str
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that `watch` shows at one moment."""

    now: str
    app: str
    """The state of the function app: `runs`, `has ended`, or `is elsewhere`."""
    served: tuple[Served, ...]
    """The host names: first those without an answer, then those with an old version, then the last changed ones."""
    runs: tuple[Run, ...]
    """The vault objects: first those whose run stalled, then those with the latest run or version."""
    environments: tuple[EnvironmentState, ...]
    down: tuple[str, ...]
    """The sites that are stopped."""
    reported: tuple[Reported, ...]
    """The findings, the most severe first, and the newest first among those of a severity."""


def fleet_view(
    state: Mapping[str, Any],
    sightings: list[Row],
    journal: list[Row],
    findings: list[Row],
    last_runs: Mapping[str, LastRun],
    app: str,
) -> FleetView:
    """Return what `watch` shows, from the control port, from the product's tables, and from the product's log."""
    newest = newest_versions(state)
    return FleetView(
        now=_time(state["now"]),
        app=app,
        served=_served(sightings, {versions["thumbprint"] for versions in newest.values()}),
        runs=_runs(newest, journal, last_runs),
        environments=tuple(_environment(found, journal, last_runs) for found in state["environments"]),
        down=tuple(sorted(_short(site["id"]) for site in state["sites"] if site["state"] != "Running")),
        reported=tuple(map(_reported, sorted(filter(_is_open, findings), key=_urgency, reverse=True))),
    )


def newest_versions(state: Mapping[str, Any]) -> dict[str, Row]:
    """Return the newest version of each vault object, by `vault/name` in lower case."""
    return {
        f"{vault}/{name}".lower(): versions[-1]
        for part in ("vaults", "secrets")
        for vault, names in state[part].items()
        for name, versions in names.items()
        if versions
    }


def _served(sightings: list[Row], newest: set[str]) -> tuple[Served, ...]:
    ordered = sorted(sightings, key=lambda sighting: sighting["host"])
    ordered.sort(key=lambda sighting: sighting["since"] or "", reverse=True)
    hosts = (
        Served(
            sighting["host"],
            sighting["site"],
            sighting["thumbprint"][:SHOWN] if sighting["thumbprint"] else NO_ANSWER,
            _time(sighting["since"]) if sighting["since"] else FROM_START,
            is_newest=sighting["thumbprint"] in newest,
        )
        for sighting in ordered
    )
    return tuple(sorted(hosts, key=_rank_of_host))


def _rank_of_host(host: Served) -> int:
    """Return 0 for a host name without an answer, then 1 for an old version, 2 for a change, and 3 for the rest."""
    if host.thumbprint == NO_ANSWER:
        return 0
    if not host.is_newest:
        return 1
    return 2 if host.since != FROM_START else 3


def _runs(newest: Mapping[str, Row], journal: list[Row], last_runs: Mapping[str, LastRun]) -> tuple[Run, ...]:
    names = sorted(newest)
    names.sort(key=lambda name: _changed_at(newest[name], last_runs.get(name)), reverse=True)
    names.sort(key=lambda name: _rank_of_run(newest[name], last_runs.get(name)))
    return tuple(_run(name, newest[name], journal, last_runs.get(name)) for name in names)


def _changed_at(version: Row, last: LastRun | None) -> str:
    """Return when the newest version came or the last run ended, whichever is later, as ISO 8601."""
    return max(str(version["created"]), last.at if last else "")


def _rank_of_run(version: Row, last: LastRun | None) -> int:
    """Return 0 for a run that a person has to see, then 1 for other runs, 2 for sweeps, and 3 without a run.

    A version that is newer than the sweep is about to get a run.
    """
    if last is None:
        return 3
    if last.is_sweep and last.at >= str(version["created"]):
        return 2
    return 0 if last.has_stalled else 1


def _run(name: str, version: Row, journal: list[Row], last: LastRun | None) -> Run:
    ours = [row for row in journal if str(row.get("certificate", "")).lower() == name]
    current = [row for row in ours if row.get("version") == version["version"] and "state" in row]
    return Run(
        name,
        version["thumbprint"][:SHOWN],
        last.text if last else NOTHING,
        ", ".join((*_counted("site", current), *_counted("app", current))) or NOTHING,
    )


def _environment(found: Row, journal: list[Row], last_runs: Mapping[str, LastRun]) -> EnvironmentState:
    last = last_runs.get(_group_and_name(found["id"]).lower())
    ours = [row for row in journal if str(row.get("environment", "")).lower() == found["id"].lower() and "state" in row]
    return EnvironmentState(
        found["id"].rpartition("/")[2],
        ", ".join(root["thumbprint"][:SHOWN] for root in found["roots"]) or NOTHING,
        last.text if last else NOTHING,
        ", ".join(_counted("app", ours)) or NOTHING,
    )


def _group_and_name(resource_id: str) -> str:
    """Return `group/name` from a resource id, as Certroll names an environment in its log."""
    parts = resource_id.split("/")
    return f"{parts[4]}/{parts[-1]}"


def _counted(kind: str, rows: list[Row]) -> Iterator[str]:
    """Yield texts such as `3 sites Proven`, from the rows that record a site or an app."""
    counted = Counter(row["state"] for row in rows if kind in row)
    for state, count in sorted(counted.items()):
        yield f"{count} {kind}{'' if count == 1 else 's'} {state}"


def _urgency(row: Row) -> tuple[int, str]:
    severity = row.get("severity")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES), _last_seen(row)


def _is_open(row: Row) -> bool:
    """Return True for a dead letter, and for a finding whose cause lasts or that is about one event."""
    return row.get("state") != "closed"


def _last_seen(row: Row) -> str:
    return str(row.get("last_seen") or row["at"])


def _reported(row: Row) -> Reported:
    return Reported(
        _time(_last_seen(row)), row.get("severity", ""), row["reason"], row.get("subject", ""), row.get("detail", "")
    )


def _time(moment: str) -> str:
    """Return the time of day of an ISO 8601 text."""
    return moment[11:19]


def _short(resource_id: str) -> str:
    """Return `site`, or `site/slot`, from the resource id of a site or slot."""
    return resource_id.rpartition("/sites/")[2].replace("/slots/", "/")
