"""The plan for a vault certificate from the part of a fleet that concerns it is the plan from the whole fleet."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.districts import Districts
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.snapshot.concern import concerned
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import IMPORT_TO, PUBLIC_TO, ROOT_ON, Tags
from shared.planning import notices, planner
from shared.planning.acting.in_use import uncompared
from tests.build import REF, SUBSCRIPTION
from tests.properties.fleets import any_rolls, chained_worlds, contested_worlds, failed, intents, worlds
from tests.properties.promises import times

ABROAD = "00000000-0000-0000-0000-00000000abcd"
placing: st.SearchStrategy[Tags] = st.sampled_from(
    (
        (),
        ((IMPORT_TO.name, "plan-1, contoso-northeuropewebspace, nothing"),),
        ((IMPORT_TO.name, f"shop, {ABROAD}/rg-web/api"), (PUBLIC_TO.name, "api, web/staging")),
        ((ROOT_ON.name, "web, shop/staging"),),
        ((PUBLIC_TO.name, "a/b/c/d"),),
    )
)
TOLD = (
    notices.duplicates,
    notices.sharing,
    notices.mentions,
    notices.version_warnings,
    notices.next_version,
    notices.went_back,
    notices.unread_versions,
    uncompared,
)


ABSENT = Thumbprint("AB5E" * 10)
"""The thumbprint of a certificate that no vault has."""
STRANGER = replace(REF, name="stranger")


def abroad(ref: SiteRef) -> SiteRef:
    """Return the site of the same name in another subscription."""
    return replace(ref, subscription=ABROAD)


def place_abroad(webspace: Webspace | None) -> Webspace | None:
    """Return the webspace of the same name in another subscription."""
    return replace(webspace, subscription=ABROAD) if webspace else None


def strangers(fleet: Fleet, *, ours: bool) -> Fleet:
    """Return a fleet like the given one in another subscription, with certificates of ours or only of a stranger."""

    def shown(thumbprint: Thumbprint | None) -> Thumbprint | None:
        return thumbprint if ours or thumbprint is None else ABSENT

    def copied(copy: WebspaceCertificate) -> WebspaceCertificate:
        return replace(
            copy,
            ref=replace(copy.ref, subscription=ABROAD),
            webspace=replace(copy.webspace, subscription=ABROAD),
            thumbprint=shown(copy.thumbprint),
            source=copy.source if ours or copy.source is None else STRANGER,
        )

    def read(settings: SiteSettings) -> SiteSettings:
        named = settings if ours else SiteSettings(settings.site, loads_everything=settings.loads_everything)
        return replace(named, site=abroad(settings.site))

    return replace(
        fleet,
        sites=tuple(
            replace(site, ref=abroad(site.ref), webspace=place_abroad(site.webspace), plan=f"abroad-{site.plan}")
            for site in fleet.sites
        ),
        bindings=tuple(
            replace(binding, site=abroad(binding.site), thumbprint=shown(binding.thumbprint))
            for binding in fleet.bindings
        ),
        certificates=tuple(map(copied, fleet.certificates)),
        plans=tuple(
            replace(
                plan,
                resource_id=plan.resource_id.replace(SUBSCRIPTION, ABROAD),
                webspace=replace(plan.webspace, subscription=ABROAD),
            )
            for plan in fleet.plans
        ),
        settings=tuple(map(read, fleet.settings)),
    )


def joined(first: Fleet, second: Fleet) -> Fleet:
    """Return the resources of both fleets."""
    return replace(
        first,
        sites=(*first.sites, *second.sites),
        bindings=(*first.bindings, *second.bindings),
        certificates=(*first.certificates, *second.certificates),
        plans=(*first.plans, *second.plans),
        settings=(*first.settings, *second.settings),
    )


@st.composite
def with_strangers(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot whose fleet has a part in another subscription, which mostly has none of the certificates.

    The tags of the vault certificate may name places, also in the other subscription.
    """
    world = draw(worlds(rolls=any_rolls) | worlds(failed) | chained_worlds() | contested_worlds())
    lineage, fleets = (
        world.lineage,
        [world.fleet, strangers(world.fleet, ours=draw(st.sampled_from((False, False, True))))],
    )
    lineage = replace(lineage, tags=(*lineage.tags, *draw(placing)), unread=draw(st.sampled_from((0, 1))))
    return Snapshot(lineage, joined(*draw(st.permutations(fleets))), world.rollout)


@times(0.3, soak=2)
@given(with_strangers(), intents)
def test_plan_from_what_concerns_it_is_the_plan_from_the_whole_fleet(whole: Snapshot, intent: Intent) -> None:
    """Certroll plans and reports the same whether it looks at the whole fleet or at the part that concerns it."""
    fleet = concerned(Districts.of(whole.fleet), whole.lineage, whole.rollout)
    part = Snapshot(whole.lineage, fleet, whole.rollout)
    assert planner.plan(part, intent) == planner.plan(whole, intent)
    for tell in TOLD:
        assert tell(part) == tell(whole)
