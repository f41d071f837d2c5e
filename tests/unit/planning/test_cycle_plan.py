"""Test which apps of an environment Certroll stops and starts, and in which waves (apps stopped together)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.environments.apps import WaveApp, wave_app
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.environments.waves import Waves
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.tags import Tags
from shared.planning.environment_plan import STOP_AND_START, apps_of, each_takes, waves_of, why_excluded
from tests.build import APPLY, ASE, NOW, OFF, OTHER_ASE, SUBSCRIPTION, site, site_ref

OWN = replace(APPLY, own_site="certroll", own_subscription=SUBSCRIPTION)
PROBE: Tags = (("certroll-probe", "/health"),)
OPTED_OUT = "the app carries the tag certroll: off: stop and start the app by hand"
OWN_SITE = "Certroll runs on this app: stop and start the app by hand"
STOPPED = "the app was stopped already: it will trust the root when somebody starts it"


def hosted(name: str = "shop", slot: str | None = None, *, tags: Tags = (), running: bool = True) -> Site:
    """Return a site or slot of the test App Service Environment."""
    return site(name, slot, tags=tags, running=running, plan="front", environment=ASE)


def grouped(value: str) -> Tags:
    """Return the tag `certroll-group` that puts an app into the given groups."""
    return (("certroll-group", value),)


@pytest.mark.parametrize(
    ("sites", "excluded"),
    [
        pytest.param([hosted()], None, id="it runs"),
        pytest.param([hosted("certroll")], (Reason.OWN_SITE, OWN_SITE), id="Certroll runs on it"),
        pytest.param([hosted("certroll", "next")], (Reason.OWN_SITE, OWN_SITE), id="a slot of the site of Certroll"),
        pytest.param([hosted(tags=OFF)], (Reason.OPTED_OUT, OPTED_OUT), id="operators took it out"),
        pytest.param(
            [hosted(slot="staging"), hosted(tags=OFF)], (Reason.OPTED_OUT, OPTED_OUT), id="a slot of one that is out"
        ),
        pytest.param(
            [hosted(slot="staging", tags=(("certroll", "on"),)), hosted(tags=OFF)],
            None,
            id="a slot that is in, of one that is out",
        ),
        pytest.param(
            [hosted(slot="staging"), replace(hosted(), silos=True)],
            (Reason.SITE_WITH_SILOS, "the app has silos in other regions: stop and start the app by hand"),
            id="a slot of one that has silos",
        ),
        pytest.param([hosted(running=False)], (Reason.SITE_STOPPED, STOPPED), id="it is stopped"),
        pytest.param([hosted(running=False, tags=OFF)], (Reason.OPTED_OUT, OPTED_OUT), id="it is stopped, and out"),
        pytest.param(
            [hosted("certroll", running=False, tags=OFF)], (Reason.OWN_SITE, OWN_SITE), id="all of these at once"
        ),
    ],
)
def test_app_is_spared_for_a_reason(sites: list[Site], excluded: tuple[Reason, str] | None) -> None:
    """Certroll excludes its own site, opted-out apps and stopped apps from the stop/start, and gives the reason."""
    assert why_excluded(Fleet(NOW, tuple(sites)), sites[0], OWN) == excluded


def test_site_of_that_name_elsewhere_is_not_our_own() -> None:
    """A site with the same name as Certroll's site, but in another subscription, is not Certroll's own site."""
    other = replace(OWN, own_subscription=SUBSCRIPTION[:-1] + "b")
    assert why_excluded(Fleet(NOW, (hosted("certroll"),)), hosted("certroll"), other) is None


def test_every_app_of_the_environment_is_listed() -> None:
    """Certroll lists all sites and slots of the environment in order, and gives the reason for each excluded app."""
    sites = (
        hosted("web"),
        hosted("api", "staging", tags=grouped("Front, api")),
        hosted("api", tags=(*OFF, *grouped("front"))),
        hosted("job", running=False),
        site("other", environment=OTHER_ASE),
        site("outside"),
    )
    found = apps_of(Fleet(NOW, sites), ASE, OWN, NOW)
    slot = WaveApp(site_ref("api", "staging"), "front", frozenset({"front", "api"}))
    assert found == (
        AppRestart(WaveApp(site_ref("api"), "front", frozenset({"front"})), AppRestartState.EXCLUDED, NOW, OPTED_OUT),
        AppRestart(slot, AppRestartState.EXCLUDED, NOW, OPTED_OUT),
        AppRestart(WaveApp(site_ref("job"), "front", runs=False), AppRestartState.EXCLUDED, NOW, STOPPED),
        AppRestart(WaveApp(site_ref("web"), "front"), AppRestartState.PENDING, NOW),
    )


def test_slot_is_of_a_group_by_its_own_tag_alone() -> None:
    """A slot belongs only to the groups of its own tag `certroll-group`, because it serves no traffic of its site."""
    sites = (hosted(tags=grouped("front")), hosted(slot="a"), hosted(slot="b", tags=grouped("back")))
    assert [wave_app(app).groups for app in sites] == [frozenset({"front"}), frozenset(), frozenset({"back"})]


def listed(*sites: Site) -> tuple[AppRestart, ...]:
    """Return the stop/start records that Certroll makes of the given sites."""
    return apps_of(Fleet(NOW, sites), ASE, OWN, NOW)


def test_no_wave_goes_where_operators_allow_none() -> None:
    """Certroll stops no app of an App Service Environment for which the operator has set no limit."""
    assert waves_of(listed(hosted()), OWN) is None


def test_pending_apps_go_in_waves() -> None:
    """Certroll puts pending apps into waves of stops, slots first; an excluded app that runs counts as running."""
    apps = listed(hosted("a"), hosted("b"), hosted("b", "s"), hosted("c", tags=OFF), hosted("d", running=False))
    half = replace(OWN, ase_max_unavailable=MaxUnavailable.parse("50%"))
    assert waves_of(apps, half) == Waves(((site_ref("b", "s"), site_ref("a")), (site_ref("b"),)))
    done = (apps[0].now(AppRestartState.ANSWERED, NOW), *apps[1:])
    assert waves_of(done, half) == Waves(((site_ref("b", "s"), site_ref("b")),))


def test_only_what_is_pending_goes() -> None:
    """Certroll puts only apps whose stop is pending into waves (apps stopped together)."""
    (app,) = listed(hosted())
    allowed = replace(OWN, ase_max_unavailable=MaxUnavailable(1))
    waves = {state: waves_of(iter([app.now(state, NOW)]), allowed) for state in AppRestartState}
    assert waves == {
        state: Waves(((site_ref(),),) if state is AppRestartState.PENDING else ()) for state in AppRestartState
    }


def test_spared_app_keeps_its_group_up() -> None:
    """An excluded app that runs keeps its `certroll-group` up, and a stopped app does not."""
    allowed = replace(OWN, ase_max_unavailable=MaxUnavailable(5))
    up = listed(hosted("a", tags=grouped("g")), hosted("b", tags=(*OFF, *grouped("g"))))
    down = listed(hosted("a", tags=grouped("g")), hosted("b", tags=grouped("g"), running=False))
    assert waves_of(up, allowed) == Waves(((site_ref("a"),),))
    assert waves_of(down, allowed) == Waves((), ((site_ref("a"), "g"),))


@pytest.mark.parametrize(
    ("sites", "settles"),
    [
        pytest.param((hosted(tags=PROBE),), False, id="every app has a probe"),
        pytest.param((hosted(tags=PROBE), hosted(slot="staging")), False, id="a slot has that of its site"),
        pytest.param((hosted(tags=PROBE), hosted("api")), True, id="one has none"),
        pytest.param((hosted(tags=(("certroll-probe", "no path"),)),), True, id="one has one that cannot be read"),
    ],
)
def test_wave_takes_longer_where_apps_cannot_be_asked(sites: tuple[Site, ...], *, settles: bool) -> None:
    """After a wave of stops, Certroll waits the time of `CERTROLL_PROBE_SETTLE` for an app without a readable probe."""
    intent = replace(OWN, probe_settle=timedelta(minutes=7))
    expected = STOP_AND_START + (timedelta(minutes=7) if settles else timedelta(0))
    bystander = site("outside")
    assert each_takes(Fleet(NOW, (*sites, bystander)), [app.ref for app in sites], intent) == expected
