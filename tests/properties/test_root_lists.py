"""Check promises about plans with root lists (the setting WEBSITE_LOAD_ROOT_CERTIFICATES)."""

from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, SettingEdit, is_root_list
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.acting.own_names import own_name
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.upload_public_certificate import UploadPublicCertificate
from shared.planning.plan import Action, Plan, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    NEW,
    NOW,
    OFF,
    OLD,
    OLDER,
    REF,
    SUBSCRIPTION,
    WEST,
    app_settings,
    copy,
    facts,
    lineage,
    old_version,
    roll,
    rollout,
    site,
    site_ref,
    version,
)
from tests.properties.promises import Broken, Case, Planner, Promise, keep, times

ASE = EnvironmentRef(SUBSCRIPTION, "rg-web", "ase")
REFS = (("shop", None), ("shop", "staging"), ("api", None), ("web", None))
KEYS = ROOT_LIST, LOAD_LIST, "PIN", "A"
LISTED = (None, "", OLD, OLD.lower(), f"{FOREIGN},{OLD}", f"{OLDER}, {OLD}", f"{OLD},{NEW}", NEW, f"*,{OLD},x", FOREIGN)
LOADED = (None, None, OLD, f"{OLD},{NEW}", "*")
PINS = (None, None, OLD, FOREIGN)
TAGS: tuple[Tags, ...] = ((), (), OFF, (("certroll-retire", "on"),))
ASKING: tuple[Tags, ...] = ((), (("certroll-root-on", "shop, shop/staging"),), (("certroll-root-on", "api, nowhere"),))
WIDE = replace(APPLY, delete_superseded=True)

made_sites = st.sampled_from(
    [
        replace(site(plan=plan, tags=tags), environment=environment, windows_code=code)
        for plan, tags, (environment, code) in product(
            ("/plans/one", "/plans/one", "/plans/two", ""), TAGS, [(ASE, True)] * 3 + [(ASE, False), (None, True)]
        )
    ]
)
made_settings = st.sampled_from(
    [
        {
            key: value
            for key, value in zip((ROOT_LIST, LOAD_LIST, "PIN", "A"), (*values, "1"), strict=True)
            if value is not None
        }
        for values in product(LISTED, LOADED, PINS)
    ]
)
held = st.sampled_from([(), (OLD,), (NEW,), (OLD, NEW), (OLDER, OLD), (OLDER, OLD, NEW), (FOREIGN,)])
said = st.sampled_from([facts(self_signed=True, is_ca=True)] * 4 + [facts(self_signed=True)])
asking = st.sampled_from(ASKING)
some_refs = st.sampled_from([refs for count in (1, 2, 3, 4) for refs in permutations(REFS, count)])
states = st.sampled_from([None, None, RollState.VALIDATED, RollState.STALE, RollState.UNPROVEN, RollState.FAILED])


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot of up to four apps on two plans, with random settings, public certificates and records."""
    refs = [site_ref(*names) for names in draw(some_refs)]
    sites = tuple(replace(draw(made_sites), ref=ref) for ref in refs)
    settings = tuple(replace(read_settings(app_settings(draw(made_settings))), site=ref) for ref in refs)
    copies = tuple(public(ref, thumbprint) for ref in refs for thumbprint in draw(held))
    versions = (
        version(created=NOW - 40 * DAY, facts=draw(said)),
        old_version(),
        replace(old_version("v0", OLDER), created=NOW - 90 * DAY),
    )
    rolls = tuple(
        replace(roll(state, at=NOW - 35 * DAY), site=ref) for ref in refs if (state := draw(states)) is not None
    )
    known = lineage(*versions, tags=draw(asking))
    return Snapshot(known, Fleet(NOW, sites, (), copies, settings=settings), rollout(rolls=rolls))


def public(ref: SiteRef, thumbprint: str) -> WebspaceCertificate:
    """Return a public certificate of the site with a name that Certroll gives to its uploads."""
    made = copy("", thumbprint, webspace=WEST, source=None)  # type: ignore[arg-type]
    return replace(made, ref=CopyRef.of_site(ref, own_name(REF, made.thumbprint), public=True))


def supports(app: Site | None) -> bool:
    """Return True if a site is a Windows code app in an environment, where WEBSITE_LOAD_ROOT_CERTIFICATES works."""
    return app is not None and app.environment is not None and app.windows_code


def there(world: Snapshot, ref: SiteRef) -> set[str | None]:
    """Return the thumbprints of all public certificates on the App Service plan of a site."""
    own = world.site(ref)
    plan = own.plan if own else ""
    mates = {app.ref for app in world.fleet.sites if app.ref == ref or (plan and app.plan == plan)}
    return {
        certificate.thumbprint
        for certificate in world.fleet.certificates
        if certificate.ref.public and certificate.site in mates
    }


def changes(plan: Plan) -> list[SettingsChange]:
    """Return the changes of app settings in Certroll's plan."""
    return [step.action for step in plan.steps if isinstance(step.action, SettingsChange)]


any_worlds = worlds()


@st.composite
def quiet_worlds(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot in which every app uses the new root, except for opted-out apps.

    In many of the drawn snapshots Certroll may delete the old root certificate.
    """
    world = draw(any_worlds)
    out = {app.ref for app in world.fleet.sites if app.tags == OFF}
    moved = read_settings(app_settings({ROOT_LIST: NEW}))
    settings = tuple(app if app.site in out else replace(moved, site=app.site) for app in world.fleet.settings)
    copies = dict.fromkeys((*(public(app.site, NEW) for app in settings), *world.fleet.certificates))
    rolls = tuple(replace(roll(RollState.VALIDATED, at=NOW - 35 * DAY), site=app.site) for app in settings)
    fleet = replace(world.fleet, settings=settings, certificates=tuple(copies))
    return replace(world, fleet=fleet, rollout=rollout(rolls=rolls))


def second_plan_has_nothing_to_do(case: Case) -> None:
    """A second plan repeats neither the uploads nor the settings changes of the first plan."""
    second = case.planned(case.after)
    changed = {change.settings.site for change in changes(case.plan)}
    assert not changed & {change.settings.site for change in changes(second)}
    assert not [step for step in second.steps if isinstance(step.action, UploadPublicCertificate)]


def root_list_names_only_what_its_plan_has(case: Case) -> None:
    """Certroll adds only certificates of the App Service plan to the setting WEBSITE_LOAD_ROOT_CERTIFICATES."""
    for change in changes(case.plan):
        edits = [edit for edit in change.edits if is_root_list(edit.key)]
        assert not edits or supports(case.world.site(change.settings.site))
        assert {edit.add for edit in edits if edit.add} <= there(case.after, change.settings.site)


def uploads(plan: Plan) -> list[UploadPublicCertificate]:
    """Return the uploads of public certificates in Certroll's plan."""
    return [step.action for step in plan.steps if isinstance(step.action, UploadPublicCertificate)]


def only_what_is_a_root_comes_into_a_root_list(case: Case) -> None:
    """Certroll adds only certificate authorities to WEBSITE_LOAD_ROOT_CERTIFICATES, and uploads no others for it."""
    current = case.world.lineage.current
    rolled = [change for change in changes(case.plan) if isinstance(change, RollAppSettings)]
    added = [edit for roll in rolled for edit in roll.edits if is_root_list(edit.key)]
    assert not (added or uploads(case.plan)) or (current and current.facts and current.facts.is_ca)


def a_plan_gets_a_root_once(case: Case) -> None:
    """Certroll uploads a root once per App Service plan, and not to a plan that already has the root."""
    owners = [upload.copy.site for upload in uploads(case.plan)]
    assert not [owner for owner in owners if owner and NEW in there(case.world, owner)]
    placed = [found.plan or found.ref.resource_id for found in case.world.fleet.sites if found.ref in owners]
    assert len(placed) == len(set(placed)) == len(owners)


def what_a_plan_trusts_is_not_deleted(case: Case) -> None:
    """Certroll deletes no public certificate that a setting of any app on the same environment plan mentions."""
    sites, settings = case.world.fleet.sites, case.world.fleet.settings
    for action in (step.action for step in case.plan.steps):
        if isinstance(action, DeleteCertificate) and action.copy.site is not None:
            owner = case.world.site(action.copy.site)
            assert owner is not None
            near = [app.ref for app in sites if app.ref == owner.ref or (owner.plan and app.plan == owner.plan)]
            users = [s for s in settings if s.site in near and (owner.environment or s.site == owner.ref)]
            assert not [user for user in users if action.copy.thumbprint in user.mentioned]


def order_of_apps_means_nothing(case: Case) -> None:
    """Certroll's plan does not depend on the order in which Azure lists apps and certificates."""
    fleet, shuffle = case.world.fleet, case.dice
    mixed = replace(
        fleet,
        sites=tuple(shuffle.sample(fleet.sites, len(fleet.sites))),
        settings=tuple(shuffle.sample(fleet.settings, len(fleet.settings))),
        certificates=tuple(shuffle.sample(fleet.certificates, len(fleet.certificates))),
    )
    assert case.planned(replace(case.world, fleet=mixed)) == case.plan


def what_is_asked_for_is_done_or_told(case: Case) -> None:
    """Each app that the tag names trusts the root by its settings, or Certroll's plan has a step or a reason."""
    told = {skip.site for skip in case.plan.skips} | {change.settings.site for change in changes(case.plan)}
    rolls = case.world.rollout.rolls
    under_way = {roll.site for roll in rolls if roll.state in {RollState.STALE, RollState.FAILED}}
    for ref in case.world.wanting_root or ():
        settings = case.world.settings_of(ref)
        assert settings is not None
        assert NEW in settings.root_list or ref in told or ref in under_way


PROMISES: tuple[Promise[Case], ...] = (
    second_plan_has_nothing_to_do,
    root_list_names_only_what_its_plan_has,
    only_what_is_a_root_comes_into_a_root_list,
    a_plan_gets_a_root_once,
    what_a_plan_trusts_is_not_deleted,
    order_of_apps_means_nothing,
    what_is_asked_for_is_done_or_told,
)
seeds = st.integers(0, 99)


@times(0.4, soak=1.1)
@given(st.builds(Case, any_worlds, st.sampled_from((APPLY, WIDE)), seeds))
def test_promises_about_root_lists_are_kept(case: Case) -> None:
    """Certroll's plans keep every promise about WEBSITE_LOAD_ROOT_CERTIFICATES, whatever the settings contain."""
    keep(case, PROMISES)


@times(0.4, soak=1.1)
@given(st.builds(Case, quiet_worlds(), st.just(WIDE), seeds))
def test_promises_about_root_lists_are_kept_where_the_old_root_may_go(case: Case) -> None:
    """Certroll's plans keep every promise about root certificates while Certroll may delete the old root."""
    keep(case, PROMISES)


# ------------------------------------------------------------------------------------------ each promise can fail

ROOT = version(created=NOW - 40 * DAY, facts=facts(self_signed=True, is_ca=True))
LEAF = replace(ROOT, facts=facts(self_signed=True))


def with_root(*listed: str, newest: CertificateVersion = ROOT, tags: Tags = (), plan: str = "/plans/one") -> Snapshot:
    """Return a snapshot of two apps on one plan that list the given roots; only the first app has the old root."""
    sites = tuple(
        replace(site(name, plan=own), environment=ASE, windows_code=True)
        for name, own in (("shop", plan), ("api", "/plans/one"))
    )
    refs = [found.ref for found in sites]
    named = [{ROOT_LIST: ",".join(listed)}, {ROOT_LIST: ",".join(listed)}]
    settings = tuple(
        replace(read_settings(app_settings(values)), site=ref) for ref, values in zip(refs, named, strict=True)
    )
    known = lineage(newest, old_version(), tags=tags)
    return Snapshot(known, Fleet(NOW, sites, (), (public(refs[0], OLD),), settings=settings), rollout())


def write(world: Snapshot, number: int = 0) -> RollAppSettings:
    """Return the action that adds the new root next to the old root in WEBSITE_LOAD_ROOT_CERTIFICATES."""
    return RollAppSettings(world.fleet.settings[number], (SettingEdit(ROOT_LIST, NEW, (), OLD),), WEST)


def upload(world: Snapshot, number: int = 0) -> UploadPublicCertificate:
    """Return the action that uploads the new root to an app."""
    return UploadPublicCertificate(REF, ROOT, public(world.fleet.sites[number].ref, NEW), as_root=True)


def always(*actions: Action) -> Planner:
    """Return a planner with the same plan for every snapshot."""
    plan = Plan(tuple(Step(action, Reason.SUPERSEDED) for action in actions))
    return lambda _world, _intent: plan


def as_listed(world: Snapshot, _: Intent) -> Plan:
    """Return a plan that uploads the root to the app that Azure lists first."""
    return Plan((Step(upload(world), Reason.SUPERSEDED),))


STALE, HAS_BOTH = with_root(OLD), with_root(OLD, NEW)
OUTSIDE = replace(
    STALE, fleet=replace(STALE.fleet, sites=tuple(replace(found, environment=None) for found in STALE.fleet.sites))
)
SERVED = replace(STALE, fleet=replace(STALE.fleet, certificates=(public(STALE.fleet.sites[0].ref, NEW),)))
NO_ROOT = with_root(OLD, newest=LEAF)
ASKED = with_root(FOREIGN, tags=(("certroll-root-on", "shop"),))
DOCTORED: tuple[tuple[Promise[Case], Snapshot, Planner], ...] = (
    (second_plan_has_nothing_to_do, STALE, always(write(STALE))),
    (second_plan_has_nothing_to_do, STALE, always(upload(STALE))),
    (root_list_names_only_what_its_plan_has, STALE, always(write(STALE))),
    (root_list_names_only_what_its_plan_has, OUTSIDE, always(upload(OUTSIDE), write(OUTSIDE))),
    (only_what_is_a_root_comes_into_a_root_list, NO_ROOT, always(write(NO_ROOT))),
    (only_what_is_a_root_comes_into_a_root_list, NO_ROOT, always(upload(NO_ROOT))),
    (a_plan_gets_a_root_once, STALE, always(upload(STALE), upload(STALE, 1))),
    (a_plan_gets_a_root_once, SERVED, always(upload(SERVED, 1))),
    (what_a_plan_trusts_is_not_deleted, HAS_BOTH, always(DeleteCertificate(HAS_BOTH.fleet.certificates[0], ()))),
    (order_of_apps_means_nothing, STALE, as_listed),
    (what_is_asked_for_is_done_or_told, ASKED, always()),
)
SHUFFLED = 5
"""A random seed with which the two sites change places in Azure's list."""
BROKEN = [
    Broken(promise, Case(world, WIDE, SHUFFLED), Case(world, WIDE, SHUFFLED, plans))
    for promise, world, plans in DOCTORED
]


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_each_promise_can_fail(broken: Broken[Case]) -> None:
    """The check of a promise fails for a planner that breaks the promise, and passes for Certroll's planner."""
    broken.is_noticed()


def test_no_promise_is_left_out() -> None:
    """For each promise about WEBSITE_LOAD_ROOT_CERTIFICATES a test has a planner that breaks the promise."""
    assert {promise for promise, *_ in DOCTORED} == {*PROMISES}
