"""One run at work on an environment, and what its steps share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.errors import NotFound, StopRefused
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.loop.observe.site import observe_tags
from shared.loop.reach import Inbound
from shared.loop.restart_claims import give_back
from shared.loop.run import Run
from shared.ports.storage import Lease

SiteInspection = tuple[Fleet, Site | None]


@dataclass(frozen=True, slots=True)
class WaveRun:
    """A run at work on one environment: its lease, and what the journal knows.

    `busy` are apps that others are at work on, `refused` why Azure does not let some of them be stopped. `inbound` says
    where an internal environment is reached, `is_off` that operators took the environment out.
    """

    run: Run
    lease: Lease
    environment_record: EnvironmentRecord
    apps: tuple[AppRestart, ...]
    inbound: Inbound
    busy: frozenset[SiteRef] = frozenset()
    refused: Mapping[SiteRef, StopRefused] = field(default_factory=dict)
    is_off: bool = False

    @property
    def environment(self) -> EnvironmentRef:
        """The environment."""
        return self.environment_record.environment

    def in_state(self, *states: AppRestartState) -> tuple[AppRestart, ...]:
        """Return the apps that are so far."""
        return tuple(app for app in self.apps if app.state in states)

    def recorded(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Return it with these apps, which are in the journal, in place of what was known of them."""
        renewed = {app.site: app for app in changed}
        return replace(self, apps=tuple(renewed.get(app.site, app) for app in self.apps))

    def record(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Record the apps, and return it with them."""
        changed = tuple(changed)
        self.run.ports.app_restarts.put(self.environment, changed)
        return self.recorded(changed)


def inspect_site(run: Run, ref: SiteRef) -> SiteInspection:
    """Return a site or slot as it is now, with its tags; None where it is gone."""
    try:
        fleet = observe_tags(run.ports.app_service, ref, (), run.now())
    except NotFound:
        return Fleet(run.now()), None
    return fleet, fleet.site(ref)


def count_no_longer(run: Run, environment: EnvironmentRef, app: AppRestart) -> None:
    """Give back what the app took of the limits of its plan and environment."""
    give_back(run, (app.app.plan, environment.resource_id), app.site, environment)


def report_excluded(run: Run, environment: EnvironmentRef, excluded: Iterable[tuple[SiteRef, Reason, str]]) -> None:
    """Tell people of what they have to stop and start by hand; an app that is stopped needs nobody."""
    findings = (
        Finding(run.now(), str(environment), f"site {site}", reason, detail) for site, reason, detail in excluded
    )
    run.ports.findings.report(tuple(finding for finding in findings if finding.reason.makes_finding))
