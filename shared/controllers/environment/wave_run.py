"""Hold the state of a run that works on an environment, and the functions that several modules of this folder use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.errors import NotFound, StopRefused
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.subject import site_subject
from shared.loop.connect_address import Inbound
from shared.loop.observe.site import observe_site
from shared.loop.restart_claims import give_back
from shared.loop.run import Run
from shared.ports.storage import Lease

SiteInspection = tuple[Fleet, Site | None]
"""A fleet with the tags of a site, and the site, or None if the site is gone."""


STOPPED = frozenset(
    {AppRestartState.STARTED, AppRestartState.ANSWERED, AppRestartState.UNPROVEN, AppRestartState.FAILED}
)
"""The states of an app that Certroll has stopped and started."""


@dataclass(frozen=True, slots=True)
class WaveRun:
    """A run that works on one App Service Environment, with the environment's records from the journal."""

    run: Run
    lease: Lease
    """The lease of the environment. A run that has lost this lease may write nothing more."""
    environment_record: EnvironmentRecord
    apps: tuple[AppRestart, ...]
    """The records of the apps of the environment."""
    inbound: Inbound
    """The address at which Certroll reaches an internal environment."""
    busy: frozenset[SiteRef] = frozenset()
    """The apps whose leases other runs hold."""
    refused: Mapping[SiteRef, StopRefused] = field(default_factory=dict)
    """The apps that Azure does not let Certroll stop, each with Azure's answer."""
    is_off: bool = False
    """True if the environment carries the tag `certroll: off`."""

    @property
    def environment(self) -> EnvironmentRef:
        """The App Service Environment on which the run works."""
        return self.environment_record.environment

    @property
    def has_begun(self) -> bool:
        """True if Certroll has stopped an app, or was about to, since it listed the apps for the latest root.

        Right before the stop of an app, Certroll records whether the app passed its probe.
        """
        since = self.environment_record.since
        stopped = any(app.state in STOPPED and since is not None and app.at > since for app in self.apps)
        return stopped or any(app.answered is not None for app in self.in_state(AppRestartState.PENDING))

    def in_state(self, *states: AppRestartState) -> tuple[AppRestart, ...]:
        """Return the apps of the environment that are in one of the given states."""
        return tuple(app for app in self.apps if app.state in states)

    def recorded(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Return the run with the changed records of apps, which the journal already has."""
        renewed = {app.site: app for app in changed}
        return replace(self, apps=tuple(renewed.get(app.site, app) for app in self.apps))

    def record(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Store changed app records in Certroll's journal, and return the run with these records."""
        changed = tuple(changed)
        self.run.ports.app_restarts.put(self.environment, changed)
        return self.recorded(changed)


def inspect_site(run: Run, ref: SiteRef) -> SiteInspection:
    """Read a site or slot as Azure shows it now, with its tags.

    The result is None if Azure no longer has the site or slot.
    """
    try:
        fleet = observe_site(run.ports.app_service, ref, (), run.now())
    except NotFound:
        return Fleet(run.now()), None
    return fleet, fleet.site(ref)


def count_no_longer(run: Run, environment: EnvironmentRef, app: AppRestart) -> None:
    """Stop counting the app against the restart limits of its App Service plan and of its environment."""
    give_back(run, (app.app.plan, environment.resource_id), app.site, environment)


def report_excluded(run: Run, environment: EnvironmentRef, excluded: Iterable[tuple[SiteRef, Reason, str]]) -> None:
    """Record a finding (a reported problem) for each excluded app that operators have to stop and start by hand.

    A stopped app needs no operator, because the app trusts the new root when the app starts.
    """
    findings = (
        Finding(run.now(), environment.resource_id, site_subject(site), reason, detail, site=site)
        for site, reason, detail in excluded
    )
    run.ports.findings.report(tuple(finding for finding in findings if finding.reason.makes_finding))
