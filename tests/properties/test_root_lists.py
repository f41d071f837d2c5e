"""What holds of every plan in which root lists are, whatever stands in them and whoever has which certificate."""

from dataclasses import replace
from itertools import product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared import planner
from shared.actions.delete_certificate import DeleteCertificate
from shared.actions.roll_app_settings import RollAppSettings
from shared.actions.settings_change import SettingsChange
from shared.actions.upload_public_certificate import UploadPublicCertificate, own_name
from shared.domain.app_settings import LOAD_LIST, ROOT_LIST, is_root_list, read_settings
from shared.domain.model import Fleet, Site, Tags, WebspaceCertificate
from shared.domain.names import CopyRef, EnvironmentRef, SiteRef
from shared.domain.plan import Plan
from shared.domain.roll import RollState
from shared.domain.snapshot import Snapshot
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
some_refs = st.lists(st.sampled_from(REFS), min_size=1, unique=True)
states = st.sampled_from([None, None, RollState.VALIDATED, RollState.STALE, RollState.UNPROVEN, RollState.FAILED])


@st.composite
def worlds(draw: st.DrawFn) -> Snapshot:
    """Return up to four apps of two plans, with lists, public certificates and records of any kind."""
    refs = [site_ref(*one) for one in draw(some_refs)]
    sites = tuple(replace(draw(made_sites), ref=ref) for ref in refs)
    settings = tuple(replace(read_settings(app_settings(draw(made_settings))), site=ref) for ref in refs)
    copies = tuple(public(ref, one) for ref in refs for one in draw(held))
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
    """Return a public certificate of that site, of Certroll's own."""
    made = copy("", thumbprint, webspace=WEST, source=None)  # type: ignore[arg-type]
    return replace(made, ref=CopyRef.of_site(ref, own_name(REF, made.thumbprint), public=True))


def heeds(one: Site | None) -> bool:
    """Say whether a site is Windows code in an environment."""
    return one is not None and one.environment is not None and one.windows_code


def there(world: Snapshot, ref: SiteRef) -> set[str | None]:
    """Return what the apps of a site's plan have as public certificates."""
    own = world.site(ref)
    plan = own.plan if own else ""
    mates = {one.ref for one in world.fleet.sites if one.ref == ref or (plan and one.plan == plan)}
    return {one.thumbprint for one in world.fleet.certificates if one.ref.public and one.site in mates}


def changes(plan: Plan) -> list[SettingsChange]:
    """Return the changes of settings in a plan."""
    return [step.action for step in plan.steps if isinstance(step.action, SettingsChange)]


@given(worlds())
def test_second_plan_has_nothing_to_do_there(world: Snapshot) -> None:
    """What a plan uploads and writes needs no second plan."""
    first = planner.plan(world, APPLY)
    second = planner.plan(planner.project(first, world), APPLY)
    assert not {one.settings.site for one in changes(first)} & {one.settings.site for one in changes(second)}
    assert not [step for step in second.steps if isinstance(step.action, UploadPublicCertificate)]


@given(worlds())
def test_root_list_names_only_what_its_plan_has(world: Snapshot) -> None:
    """Whatever is put into a root list is a public certificate on the plan by then, of an app that heeds the list."""
    plan = planner.plan(world, APPLY)
    after = planner.project(plan, world)
    for change in changes(plan):
        edits = [edit for edit in change.edits if is_root_list(edit.key)]
        assert not edits or heeds(world.site(change.settings.site))
        assert {edit.add for edit in edits if edit.add} <= there(after, change.settings.site)


@given(worlds())
def test_only_what_is_a_root_comes_into_a_root_list(world: Snapshot) -> None:
    """A version that is no certificate authority's is brought into no root list, and to no app for one."""
    current = world.lineage.current
    plan = planner.plan(world, APPLY)
    added = [e for one in changes(plan) if isinstance(one, RollAppSettings) for e in one.edits if is_root_list(e.key)]
    uploads = [step for step in plan.steps if isinstance(step.action, UploadPublicCertificate)]
    assert not (added or uploads) or (current and current.facts and current.facts.is_ca)


@given(worlds())
def test_a_plan_gets_a_root_once(world: Snapshot) -> None:
    """No two apps of one plan get the certificate, and none gets it where an app of its plan has it."""
    plan = planner.plan(world, APPLY)
    owners = [step.action.copy.site for step in plan.steps if isinstance(step.action, UploadPublicCertificate)]
    assert not [owner for owner in owners if owner and NEW in there(world, owner)]
    placed = [one.plan or one.ref.resource_id for one in world.fleet.sites if one.ref in owners]
    assert len(placed) == len(set(placed)) == len(owners)


any_worlds = worlds()


@st.composite
def quiet_worlds(draw: st.DrawFn) -> Snapshot:
    """Return a world in which everybody uses the new root, but for those who are out: so that the old one may go."""
    world = draw(any_worlds)
    out = {one.ref for one in world.fleet.sites if one.tags == OFF}
    moved = read_settings(app_settings({ROOT_LIST: NEW}))
    settings = tuple(one if one.site in out else replace(moved, site=one.site) for one in world.fleet.settings)
    copies = {public(one.site, NEW) for one in settings} | set(world.fleet.certificates)
    rolls = tuple(replace(roll(RollState.VALIDATED, at=NOW - 35 * DAY), site=one.site) for one in settings)
    fleet = replace(world.fleet, settings=settings, certificates=tuple(copies))
    return replace(world, fleet=fleet, rollout=rollout(rolls=rolls))


@given(quiet_worlds())
def test_what_a_plan_trusts_is_not_deleted(world: Snapshot) -> None:
    """Nothing is deleted that a setting of an app of the plan in an environment mentions."""
    for step in planner.plan(world, WIDE).steps:
        if isinstance(step.action, DeleteCertificate) and step.action.copy.site is not None:
            owner = world.site(step.action.copy.site)
            assert owner is not None
            near = [
                one.ref for one in world.fleet.sites if one.ref == owner.ref or (owner.plan and one.plan == owner.plan)
            ]
            users = [s for s in world.fleet.settings if s.site in near and (owner.environment or s.site == owner.ref)]
            assert not [one for one in users if step.action.copy.thumbprint in one.mentioned]


@given(worlds(), st.randoms(use_true_random=False))
def test_plan_does_not_depend_on_the_order_of_apps(world: Snapshot, shuffle: Random) -> None:
    """However Azure lists them, the same app gets the certificate, and the same lists are written."""
    fleet = world.fleet
    mixed = replace(
        fleet,
        sites=tuple(shuffle.sample(fleet.sites, len(fleet.sites))),
        settings=tuple(shuffle.sample(fleet.settings, len(fleet.settings))),
        certificates=tuple(shuffle.sample(fleet.certificates, len(fleet.certificates))),
    )
    assert planner.plan(replace(world, fleet=mixed), APPLY) == planner.plan(world, APPLY)


@given(worlds())
def test_asked_for_is_done_or_told(world: Snapshot) -> None:
    """What the tag asks for is in the plan, in the list already, or refused with a reason."""
    plan = planner.plan(world, APPLY)
    told = {skip.site for skip in plan.skips} | {one.settings.site for one in changes(plan)}
    under_way = {one.site for one in world.rollout.rolls if one.state in {RollState.STALE, RollState.FAILED}}
    for ref in world.rooted or ():
        settings = world.settings_of(ref)
        assert settings is not None
        assert NEW in settings.root_list or ref in told or ref in under_way
