"""Before a run writes, Certroll reads the remembered settings that decide about the write."""

from dataclasses import replace

import pytest

from shared.controllers.certificate.fresh import to_read
from shared.domain.fleet.app_settings import Sealed, SiteSettings
from shared.domain.intent import Intent, Mode
from shared.domain.names import CopyRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.plan import Action, Plan, Skip, Step, Would
from tests.build import (
    NEW,
    NORTH,
    OLD,
    WEST,
    binding,
    copy,
    farm,
    named,
    roll,
    rollout,
    site,
    snapshot,
    version,
)

SHOP, SLOT, MATE = site("shop"), site("shop", "blue", webspace=NORTH), site("mate")
NORTHERN, NOWHERE, FRESH = site("northern", webspace=NORTH), site("nowhere", webspace=None), site("fresh")
SITES = (SHOP, SLOT, MATE, NORTHERN, NOWHERE, FRESH)
OWN = replace(copy("own", source=None), ref=CopyRef.of_site(SHOP.ref, "own", public=True))
NOTHING = Plan()


def remembered(ref: SiteRef, *thumbprints: str) -> SiteSettings:
    """Return settings that Certroll remembers."""
    return replace(named(*thumbprints), site=ref, sealed=Sealed(3))  # type: ignore[arg-type]  # texts of tests


def of(action: Action) -> Plan:
    """Return a plan with one step."""
    return Plan((Step(action, Reason.STALE_THUMBPRINT),))


NEAR = {SHOP.ref, MATE.ref, NOWHERE.ref}
SYNC = SyncCertificate(copy(), farm(), version())


@pytest.mark.parametrize(
    ("plan", "rolls", "expected"),
    [
        pytest.param(NOTHING, rollout(), set(), id="nothing to do"),
        pytest.param(of(SYNC), rollout(), NEAR, id="a sync may take a version away"),
        pytest.param(
            Plan(would=(Would(Step(SYNC, Reason.STALE_COPY), Reason.OBSERVE_ONLY, "apply"),)),
            rollout(),
            NEAR,
            id="what Certroll would do",
        ),
        pytest.param(of(DeleteCertificate(copy(source=None), ())), rollout(), NEAR, id="a deletion"),
        pytest.param(of(DeleteCertificate(OWN, ())), rollout(), {*NEAR, SLOT.ref}, id="a deletion from one site"),
        pytest.param(of(UpdateBinding(binding(), NEW, WEST)), rollout(), {*NEAR, SLOT.ref}, id="a binding"),
        pytest.param(
            of(RestartSite(NORTHERN.ref, NORTH, version())),
            rollout(),
            {NORTHERN.ref, SLOT.ref, NOWHERE.ref},
            id="a restart elsewhere",
        ),
        pytest.param(NOTHING, rollout(rolls=(roll(RollState.VALIDATED),)), set(), id="a proven app"),
        pytest.param(NOTHING, rollout(rolls=(roll(RollState.OVERLAPPING),)), {SHOP.ref}, id="an app under way"),
        pytest.param(
            Plan(skips=(Skip("app", Reason.CONTESTED, "twice", MATE.ref),)), rollout(), {MATE.ref}, id="a contested app"
        ),
        pytest.param(
            Plan(skips=(Skip("app", Reason.NO_OVERLAP, "", MATE.ref),)), rollout(), set(), id="another refusal"
        ),
    ],
)
def test_settings_that_decide_are_read(plan: Plan, rolls: Rollout, expected: set[SiteRef]) -> None:
    """Certroll reads the remembered settings of each webspace and family of slots that the plan touches.

    Certroll also reads those of each app whose record the run may change.
    """
    settings = (*(remembered(seen.ref) for seen in SITES[:-1]), replace(named(OLD), site=FRESH.ref))
    seen = snapshot(sites=SITES, settings=settings, rollout=rolls)
    assert to_read(seen, plan, Intent()) == expected


def test_app_that_names_both_versions_is_read() -> None:
    """Certroll makes no record of an app without a record from settings that it only remembers."""
    seen = snapshot(sites=SITES, settings=(remembered(SHOP.ref, OLD, NEW), remembered(MATE.ref)))
    assert to_read(seen, NOTHING, Intent(mode=Mode.APPLY)) == {SHOP.ref}
    assert to_read(snapshot(sites=SITES, settings=(named(OLD),)), of(SYNC), Intent()) == frozenset()
