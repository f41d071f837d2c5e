"""Test what Certroll reports about a vault object, and about what it could not read."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Carrier
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.fleet_notices import blind_spots, tagged_sites
from shared.planning.notices import newest_refused
from shared.planning.plan import Plan, Skip, Step, Would
from tests.build import (
    NEW,
    NEWER,
    OLD,
    SUBSCRIPTION,
    WEST,
    binding,
    lineage,
    old_version,
    root,
    site,
    site_ref,
    snapshot,
    version,
)

UNUSED = {"copies": (), "bindings": ()}
PEM = Refusal(Reason.NOT_PKCS12, "it is PEM")


def refused(refusal: Refusal | None = PEM, tags: tuple[tuple[str, str], ...] = (), **parts: object) -> Snapshot:
    """Return a fleet whose vault certificate has a newest version that Certroll refuses."""
    known = lineage(version("v3", NEWER), version(), old_version(), current=1, refusal=refusal, tags=tags)
    return snapshot(lineage=known, **{**UNUSED, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        pytest.param(refused(bindings=(binding(),)), True, id="a binding shows an older version"),
        pytest.param(refused(roots=(root("old", OLD),)), True, id="an environment has an older version as a root"),
        pytest.param(refused(tags=(("certroll-import-to", "shop-plan"),)), True, id="a tag wants it somewhere"),
        pytest.param(refused(), False, id="nothing uses it"),
        pytest.param(refused(None, bindings=(binding(),)), False, id="it is not refused"),
        pytest.param(refused(Refusal(Reason.NOT_YET_VALID, "soon"), bindings=(binding(),)), False, id="it is early"),
    ],
)
def test_refused_newest_version_is_told_where_somebody_uses_it(seen: Snapshot, *, told: bool) -> None:
    """Certroll reports a refused newest version only if something in App Service has or wants the vault object."""
    assert [finding.reason for finding in newest_refused(seen, ())] == ([Reason.NOT_PKCS12] if told else [])


def test_refused_newest_version_is_told_once() -> None:
    """If a refusal of an import tells the refused version, no second finding tells it."""
    skip = Skip("certificate", Reason.NEWEST_REFUSED, "it is PEM")
    assert newest_refused(refused(bindings=(binding(),)), (skip,)) == ()


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.makes_finding][:1])
def test_refusal_that_makes_no_finding_is_not_told(reason: Reason) -> None:
    """A refusal whose reason needs no finding stays in the log alone."""
    assert newest_refused(refused(Refusal(reason, "as planned"), bindings=(binding(),)), ()) == ()


def test_part_of_a_plan_is_about_one_site() -> None:
    """The part of a plan for one site holds what Certroll would do at this site, and nothing of other sites."""
    steps = [Step(UpdateBinding(binding(site=name), NEW, WEST), Reason.STALE_THUMBPRINT) for name in ("shop", "api")]
    would = tuple(Would(step, Reason.OBSERVE_ONLY, "apply") for step in steps)
    assert Plan((), (), would).of(site_ref("api")).would == would[1:]


def test_blind_spot_of_a_whole_subscription_names_it() -> None:
    """A blind spot without a webspace tells its subscription, and one in a webspace tells both."""
    whole = BlindSpot("sites", "503", SUBSCRIPTION)
    fleet = replace(snapshot().fleet, blind_spots=(whole, replace(whole, webspace=WEST)))
    assert [finding.subject.full_id for finding in blind_spots("sweep", fleet)] == [
        SUBSCRIPTION,
        f"{WEST.subscription}/{WEST}",
    ]


def test_tags_of_a_site_and_of_a_slot_are_told_apart() -> None:
    """Certroll knows whether tags are of a site or of a slot, because some tags count only on sites."""
    there = (site(), replace(site(), ref=site_ref("shop", "staging")))
    assert [carrier for _, _, carrier in tagged_sites(there)] == [Carrier.SITE, Carrier.SLOT]
