"""Test which values of WEBSITE_LOAD_ROOT_CERTIFICATES Certroll edits, and which roots stay because of a value."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from shared.clients.arm.wire import read_site
from shared.controllers.certificate.admission import has_unrecorded, roll_records
from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import (
    LOAD_LIST,
    ROOT_LIST,
    ReferenceKind,
    SettingEdit,
    SettingReference,
    SiteSettings,
    is_root_list,
)
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Site
from shared.domain.names import CopyRef, EnvironmentRef, SiteRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import CONTEST_WINDOW, RollRecord, RollState
from shared.domain.snapshot.roots import lacks_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import named_stale
from shared.domain.tags import Tags
from shared.loop.observe.targets import Targets
from shared.planning import planner
from shared.planning.acting.own_names import own_name
from shared.planning.actions import delete_certificate, keep_superseded, retire_thumbprint, roll_app_settings
from shared.planning.actions import upload_public_certificate as upload
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.restore_app_settings import restoring
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.upload_public_certificate import UploadPublicCertificate
from shared.planning.guards import not_its_turn, still_needed, thumbprint_not_live, version_unfit
from shared.planning.notices import sharing, version_warnings
from shared.planning.plan import Plan, Skip, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NOW,
    OFF,
    OLD,
    OLDER,
    REF,
    SUBSCRIPTION,
    WEST,
    copy,
    facts,
    lineage,
    mentions,
    named,
    old_version,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

ASE = EnvironmentRef(SUBSCRIPTION, "rg-web", "ase")
PLAN, OTHER_PLAN = "/plans/one", "/plans/two"
ROOT = facts(self_signed=True, is_ca=True)
NO_CA = facts(self_signed=True)
ASKED: Tags = (("certroll-root-on", "shop"),)
NEXT_TO = SettingEdit(ROOT_LIST, NEW, (), OLD)
BEGUN = SettingEdit(ROOT_LIST, NEW, (), None, whole=True)
ADDED = replace(BEGUN, whole=False)
LONG_AGO = NOW - 40 * DAY


def hosted(name: str = "shop", slot: str | None = None, *, plan: str = PLAN, tags: Tags = ()) -> Site:
    """Return a Windows app in an App Service Environment."""
    return replace(site(name, slot, plan=plan, tags=tags), environment=ASE, windows_code=True)


def listing(
    *roots: Thumbprint,
    site: str = "shop",
    slot: str | None = None,
    loaded: tuple[Thumbprint, ...] = (),
    pins: Mapping[str, Thumbprint] = {},
    key: str = ROOT_LIST,
    **others: object,
) -> SiteSettings:
    """Return app settings with this value of WEBSITE_LOAD_ROOT_CERTIFICATES and the given other settings."""
    seen = named(*loaded, site=site, slot=slot, pins=pins)
    listed = tuple(SettingReference(key, ReferenceKind.ROOT_LIST, thumbprint) for thumbprint in roots)
    return replace(seen, references=(*listed, *seen.references), **others)  # type: ignore[arg-type]


def public(thumbprint: Thumbprint, site: str = "shop", slot: str | None = None, name: str = "") -> WebspaceCertificate:
    """Return a public certificate of a site, by default with a name that Certroll gives."""
    ref = CopyRef.of_site(site_ref(site, slot), name or own_name(REF, thumbprint), public=True)
    return replace(copy("", thumbprint, source=None), ref=ref)


def roots(*, tags: Tags = (), said: object = ROOT) -> Lineage:
    """Return a vault certificate with two versions, both root certificates."""
    return lineage(version(facts=said), replace(old_version(), facts=said), tags=tags)  # type: ignore[arg-type]


BOTH = public(OLD, name="by-hand"), public(NEW)


def world(
    *settings: SiteSettings,
    sites: tuple[Site, ...] = (hosted(),),
    copies: tuple[WebspaceCertificate, ...] = BOTH,
    tags: Tags = (),
    said: object = ROOT,
    rolls: tuple[RollRecord, ...] = (),
    **others: object,
) -> Snapshot:
    """Return a snapshot in which an app of an environment has the old and the new root as public certificates."""
    given = {"lineage": roots(tags=tags, said=said), "rollout": rollout(rolls=rolls), **others}
    return snapshot(sites=sites, bindings=(), copies=copies, settings=settings, **given)  # type: ignore[arg-type]


def proposed(seen: Snapshot) -> tuple[list[tuple[SettingEdit, ...]], list[Skip]]:
    """Return the edits and refusals that Certroll proposes for the settings of apps."""
    items = list(roll_app_settings.propose(seen, APPLY))
    actions = [item.action for item in items if isinstance(item, Step)]
    return [action.edits for action in actions if isinstance(action, RollAppSettings)], [
        item for item in items if isinstance(item, Skip)
    ]


# ------------------------------------------------------------------------------------------------------- the roll


@pytest.mark.parametrize(
    ("settings", "edits"),
    [
        pytest.param(listing(OLD), (NEXT_TO,), id="a list: the new one next to the old one"),
        pytest.param(listing(FOREIGN, OLD), (NEXT_TO,), id="a list that names another's, too"),
        pytest.param(listing(OLD, NEW), (), id="a list with both"),
        pytest.param(listing(FOREIGN), (), id="a list of another's alone"),
        pytest.param(
            listing(OLD, key=ROOT_LIST.lower()),
            (replace(NEXT_TO, key=ROOT_LIST.lower()),),
            id="a list under another spelling keeps it",
        ),
        pytest.param(
            listing(OLD, loaded=(OLD,)),
            (SettingEdit(LOAD_LIST, NEW, (), OLD), NEXT_TO),
            id="both lists: each gets it",
        ),
        pytest.param(
            replace(listing(OLD), loads_everything=True),
            (NEXT_TO,),
            id="an app that loads everything trusts by its list",
        ),
        pytest.param(
            listing(OLD, pins={"PIN": OLD}),
            (NEXT_TO, SettingEdit("PIN", NEW, (OLD,), OLD)),
            id="a pin that names what the list does",
        ),
    ],
)
def test_root_list_is_rolled_like_a_load_list(settings: SiteSettings, edits: tuple[SettingEdit, ...]) -> None:
    """Certroll adds a missing new root next to the old root in WEBSITE_LOAD_ROOT_CERTIFICATES."""
    found, skips = proposed(world(settings))
    assert found == ([edits] if edits else [])
    assert skips == []


@pytest.mark.parametrize(
    ("copies", "edit"),
    [
        pytest.param(BOTH, NEXT_TO, id="both are there"),
        pytest.param((public(OLD, "api"), BOTH[1]), NEXT_TO, id="the old one is on another app of the plan"),
        pytest.param((BOTH[1],), replace(NEXT_TO, remove=(OLD,)), id="the old one is on no app of the plan"),
        pytest.param((public(OLD, "far"), BOTH[1]), replace(NEXT_TO, remove=(OLD,)), id="it is on another plan's"),
    ],
)
def test_root_that_nobody_has_is_replaced(copies: tuple[WebspaceCertificate, ...], edit: SettingEdit) -> None:
    """An app trusts the old and the new root if both are public certificates on its plan.

    If no app of the plan has the old root, the new root replaces the old root in WEBSITE_LOAD_ROOT_CERTIFICATES.
    """
    sites = (hosted(), hosted("api"), hosted("far", plan=OTHER_PLAN))
    assert proposed(world(listing(OLD), copies=copies, sites=sites))[0] == [(edit,)]


def test_pin_goes_back_to_the_last_good_root() -> None:
    """After a failure, a setting that named an older root gets the last good root of WEBSITE_LOAD_ROOT_CERTIFICATES."""
    three = lineage(version(facts=ROOT), old_version(), old_version("v0", OLDER))
    seen = world(listing(OLD, pins={"PIN": OLDER}), lineage=three, copies=(*BOTH, public(OLDER)))
    assert proposed(seen)[0] == [(NEXT_TO, SettingEdit("PIN", NEW, (OLDER,), OLD))]


@pytest.mark.parametrize(
    ("settings", "edit"),
    [
        pytest.param(listing(), BEGUN, id="no setting: it is made"),
        pytest.param(listing(digests={ROOT_LIST: "1"}), ADDED, id="an empty one"),
        pytest.param(listing(FOREIGN), ADDED, id="one that names another's"),
        pytest.param(
            listing(digests={"X": "1", ROOT_LIST.lower(): "1"}),
            replace(ADDED, key=ROOT_LIST.lower()),
            id="one under another spelling",
        ),
        pytest.param(listing(OLD), NEXT_TO, id="one that names the old one: next to that"),
        pytest.param(listing(NEW), None, id="one that names it already"),
        pytest.param(listing(loaded=(NEW,)), BEGUN, id="a load list that names it is another list"),
    ],
)
def test_tag_begins_a_root_list(settings: SiteSettings, edit: SettingEdit | None) -> None:
    """Certroll adds the current root once to WEBSITE_LOAD_ROOT_CERTIFICATES of an app that the tag names."""
    seen = world(settings, tags=ASKED)
    assert proposed(seen) == ([(edit,)] if edit else [], [])
    after = planner.project(Plan(tuple(roll_app_settings.propose(seen, APPLY))), seen)  # type: ignore[arg-type]
    assert proposed(after) == ([], [])


def test_step_says_whether_it_was_asked_for() -> None:
    """If only the tag asks for a root, the step for the root has the reason RootAsked."""
    reasons = [
        [step.reason for step in roll_app_settings.propose(world(s, tags=ASKED), APPLY)]
        for s in (listing(), listing(OLD), listing(loaded=(OLD,)))
    ]
    assert reasons == [[Reason.ROOT_ASKED], [Reason.STALE_THUMBPRINT], [Reason.STALE_THUMBPRINT]]


@pytest.mark.parametrize(
    ("tags", "reason", "subject"),
    [
        pytest.param((("certroll-root-on", "nowhere"),), Reason.NO_SUCH_TARGET, ": nowhere", id="nobody is called so"),
        pytest.param((("certroll-root-on", "a//b"),), Reason.TARGET_INVALID, "", id="it cannot be a name"),
    ],
)
def test_tag_that_cannot_be_followed_is_told(tags: Tags, reason: Reason, subject: str) -> None:
    """If Certroll cannot find or read an app that a tag names, it reports the tag's entry and edits no app for it."""
    found, (skip,) = proposed(world(listing(), tags=tags))
    assert (found, skip.reason, skip.subject) == ([], reason, f"tag certroll-root-on of {REF}{subject}")


def test_values_that_are_no_list_are_told_in_order() -> None:
    """Each sweep reports the settings of an app whose value is no list in the same order."""
    keys = sorted(spelling for name in (LOAD_LIST, ROOT_LIST) for spelling in (name, name.lower(), name.title()))
    _, skips = proposed(world(listing(pins={"PIN": OLD}, no_lists=frozenset(keys)), tags=ASKED))
    assert [skip.detail.split()[3] for skip in skips] == keys


def test_tag_of_a_version_that_is_none_asks_for_nothing() -> None:
    """If no version of a root is good, Certroll proposes no step, and does not check the tag that names apps."""
    seen = world(listing(), lineage=lineage(version(), current=None, tags=(("certroll-root-on", "nowhere"),)))
    assert proposed(seen) == ([], [])
    assert uploads(seen) == []


LINUX, OUTSIDE = replace(hosted(), windows_code=False), replace(hosted(), environment=None)


@pytest.mark.parametrize(
    ("where", "remedy"),
    [
        pytest.param(
            LINUX,
            "in the tag certroll-root-of: Certroll then adds the root for apps of every kind",
            id="Linux, or a container",
        ),
        pytest.param(OUTSIDE, "App Service offers custom roots only in one", id="outside of an environment"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "tags", "told"),
    [
        pytest.param(listing(OLD), (), True, id="it names an old version"),
        pytest.param(listing(NEW), (), True, id="it names the current one"),
        pytest.param(listing(), ASKED, True, id="the tag asks for it"),
        pytest.param(listing(FOREIGN), (), False, id="it names another's"),
        pytest.param(listing(), (), False, id="it has none"),
    ],
)
def test_list_that_nobody_heeds_is_left_alone(
    where: Site, remedy: str, settings: SiteSettings, tags: Tags, *, told: bool
) -> None:
    """If App Service ignores an app's WEBSITE_LOAD_ROOT_CERTIFICATES, Certroll writes none and names a remedy."""
    seen = world(settings, sites=(where,), tags=tags)
    found, skips = proposed(seen)
    assert found == []
    assert [(skip.subject, skip.reason, skip.site) for skip in skips] == (
        [("root list of shop", Reason.ROOT_LIST_UNSUPPORTED, site_ref())] if told else []
    )
    assert all(remedy in skip.detail for skip in skips)
    assert list(upload.propose(seen, APPLY)) == []


def test_other_lists_of_such_an_app_are_rolled() -> None:
    """If App Service ignores an app's WEBSITE_LOAD_ROOT_CERTIFICATES, Certroll edits only WEBSITE_LOAD_CERTIFICATES."""
    seen = world(listing(OLD, loaded=(OLD,)), sites=(LINUX,))
    found, (skip,) = proposed(seen)
    assert found == [(SettingEdit(LOAD_LIST, NEW, (), OLD),)]
    assert skip.reason is Reason.ROOT_LIST_UNSUPPORTED
    assert named_stale(seen, listing(OLD)) == ()


def test_root_list_keeps_nothing_in_the_webspace() -> None:
    """Certroll uploads no old version for WEBSITE_LOAD_ROOT_CERTIFICATES, as a sync removes no public certificate."""
    seen = world(listing(OLD), copies=(copy(), *BOTH))
    assert list(keep_superseded.propose(seen, APPLY)) == []
    assert len(list(keep_superseded.propose(world(listing(loaded=(OLD,)), copies=(copy(), *BOTH)), APPLY))) == 1


@pytest.mark.parametrize(
    ("where", "edits"),
    [
        pytest.param(
            hosted(),
            (SettingEdit(LOAD_LIST, None, (OLD,), NEW), SettingEdit(ROOT_LIST, None, (OLD,), NEW)),
            id="from both lists",
        ),
        pytest.param(LINUX, (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), id="not from a list that does nothing"),
    ],
)
def test_old_root_is_retired(where: Site, edits: tuple[SettingEdit, ...]) -> None:
    """If a tag asks for the removal, Certroll removes the old root from both lists of an app with the new root.

    WEBSITE_LOAD_CERTIFICATES and WEBSITE_LOAD_ROOT_CERTIFICATES are the two lists of an app.
    """
    settings = listing(OLD, NEW, loaded=(OLD, NEW))
    asking = replace(where, tags=(("certroll-retire", "on"),))
    seen = world(settings, sites=(asking,), rolls=(roll(RollState.VALIDATED),))
    (step,) = retire_thumbprint.propose(seen, APPLY)
    assert step == Step(RetireThumbprint(settings, edits, WEST), Reason.SUPERSEDED)


# ------------------------------------------------------------------------------------------------------ the way back


@pytest.mark.parametrize(
    ("settings", "edits", "live_roots", "back"),
    [
        pytest.param(listing(OLD, NEW), (NEXT_TO,), (OLD,), (SettingEdit(ROOT_LIST, OLD, (NEW,), NEW),), id="a roll"),
        pytest.param(
            listing(NEW), (BEGUN,), (), (SettingEdit(ROOT_LIST, None, (NEW,), None, whole=True),), id="what was begun"
        ),
        pytest.param(
            listing(FOREIGN, NEW), (ADDED,), (), (SettingEdit(ROOT_LIST, None, (NEW,), None),), id="what was added"
        ),
        pytest.param(listing(FOREIGN), (ADDED,), (), (), id="what somebody else took out is theirs"),
        pytest.param(
            listing(OLD, NEW, key=ROOT_LIST.lower(), pins={"PIN": NEW}),
            (replace(NEXT_TO, key=ROOT_LIST.lower()), SettingEdit("PIN", NEW, (OLD,), OLD)),
            (OLD,),
            (SettingEdit(ROOT_LIST.lower(), OLD, (), NEW),),
            id="a pin whose old version is not there stays, and with it the new one in the list",
        ),
        pytest.param(
            listing(NEW, pins={"PIN": NEW}),
            (BEGUN, SettingEdit("PIN", NEW, (FOREIGN,), FOREIGN)),
            (FOREIGN,),
            (SettingEdit(ROOT_LIST, None, (NEW,), None, whole=True), SettingEdit("PIN", FOREIGN, (NEW,), NEW)),
            id="what was begun, and a pin",
        ),
        pytest.param(
            listing(NEW, pins={"PIN": NEW}),
            (BEGUN,),
            (),
            (),
            id="what somebody else pinned meanwhile stays in the list",
        ),
        pytest.param(
            listing(OLD, NEW, pins={"PIN": NEW}),
            (NEXT_TO,),
            (OLD,),
            (SettingEdit(ROOT_LIST, OLD, (), NEW),),
            id="and so does it next to the old one",
        ),
    ],
)
def test_root_list_is_taken_back(
    settings: SiteSettings,
    edits: tuple[SettingEdit, ...],
    live_roots: tuple[Thumbprint, ...],
    back: tuple[SettingEdit, ...],
) -> None:
    """The undo of Certroll's edits restores the last good value of WEBSITE_LOAD_ROOT_CERTIFICATES.

    If Certroll created WEBSITE_LOAD_ROOT_CERTIFICATES in an app, the undo of the edit removes the setting.
    """
    record = roll(RollState.FAILED, edits=edits)
    rest = {FOREIGN}  # every setting except the root list may name this certificate of the app's webspace
    assert restoring(settings, record, lambda key: frozenset(live_roots if is_root_list(key) else rest)) == back


# ------------------------------------------------------------------------------------------------- the certificate


def uploads(seen: Snapshot) -> list[tuple[str, Reason, bool]]:
    """Return each app that gets the public certificate, with the reason and with True for an upload only as a root."""
    steps = [item for item in upload.propose(seen, APPLY) if isinstance(item, Step)]
    return [
        (str(step.action.copy.site), step.reason, step.action.as_root)
        for step in steps
        if isinstance(step.action, UploadPublicCertificate)
    ]


NEEDED = ("shop", Reason.ROOT_NEEDED, True)
TWO = hosted(), hosted("api")
OLD_ALONE = (BOTH[0],)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(world(listing(OLD), copies=OLD_ALONE), [NEEDED], id="a list names the old one"),
        pytest.param(
            world(listing(FOREIGN, OLD), copies=OLD_ALONE), [NEEDED], id="a list names another's and the old one"
        ),
        pytest.param(world(listing(OLD)), [], id="the app has the new one"),
        pytest.param(
            world(listing(OLD), sites=TWO, copies=(*OLD_ALONE, public(NEW, "api"))), [], id="an app of its plan has it"
        ),
        pytest.param(
            world(listing(OLD), sites=(hosted(), hosted("api", plan=OTHER_PLAN)), copies=(public(NEW, "api"),)),
            [NEEDED],
            id="an app of another plan has it",
        ),
        pytest.param(
            world(listing(OLD), copies=(copy(thumbprint=NEW, source=None),)),
            [NEEDED],
            id="its webspace has it with a key",
        ),
        pytest.param(
            world(listing(OLD), sites=(hosted(plan=""), hosted("api", plan="")), copies=(public(NEW, "api"),)),
            [NEEDED],
            id="Azure does not say the plan",
        ),
        pytest.param(world(listing(), tags=ASKED, copies=()), [NEEDED], id="the tag asks for it"),
        pytest.param(world(listing(NEW), tags=ASKED, copies=()), [NEEDED], id="the tag asks, and the list names it"),
        pytest.param(world(listing(NEW), copies=()), [NEEDED], id="a list names the new one, which nobody has"),
        pytest.param(world(listing(FOREIGN), copies=()), [], id="a list names another's"),
        pytest.param(world(tags=ASKED, copies=()), [], id="its settings could not be read"),
        pytest.param(
            world(listing(OLD), listing(OLD, site="api"), sites=TWO, copies=()),
            [("api", Reason.ROOT_NEEDED, True)],
            id="two apps of a plan: once",
        ),
        pytest.param(
            world(listing(OLD), listing(OLD, site="api"), sites=(hosted(), hosted("api", plan=OTHER_PLAN)), copies=()),
            [("api", Reason.ROOT_NEEDED, True), NEEDED],
            id="two apps of two plans: each",
        ),
        pytest.param(
            world(listing(OLD), listing(OLD, site="api"), sites=(hosted(), hosted("api", tags=OFF)), copies=()),
            [NEEDED],
            id="not to an app that is out",
        ),
        pytest.param(
            world(listing(OLD), sites=(replace(hosted(), webspace=None),), copies=()),
            [],
            id="nowhere without a webspace",
        ),
        pytest.param(
            world(listing(OLD), sites=TWO, tags=(("certroll-public-to", "api"),), copies=OLD_ALONE),
            [("api", Reason.PUBLIC_CERTIFICATE_ASKED, False)],
            id="an app of its plan gets it anyway",
        ),
        pytest.param(
            world(
                listing(OLD, site="a"),
                listing(OLD, site="b"),
                sites=(hosted("a"), hosted("b", plan=OTHER_PLAN)),
                copies=(public(OLD, "a"), public(NEW, "a"), public(OLD, "b")),
            ),
            [("b", Reason.ROOT_NEEDED, True)],
            id="an app of another plan has it",
        ),
        pytest.param(
            world(listing(OLD), tags=(("certroll-public-to", "shop"),)),
            [],
            id="the app was to get it anyway, and has it",
        ),
        pytest.param(
            world(
                listing(OLD),
                sites=(hosted(), hosted("api", tags=OFF)),
                tags=(("certroll-public-to", "api"),),
                copies=OLD_ALONE,
            ),
            [("api", Reason.PUBLIC_CERTIFICATE_ASKED, False), NEEDED],
            id="an app of its plan would get it, and is out",
        ),
    ],
)
def test_certificate_comes_first(seen: Snapshot, expected: list[tuple[str, Reason, bool]]) -> None:
    """Certroll uploads the root to one app of a plan if an app there needs the root and no app there has it."""
    assert uploads(seen) == expected


def test_plan_holds_the_whole_way() -> None:
    """Certroll uploads the root and edits WEBSITE_LOAD_ROOT_CERTIFICATES in one plan, and a second plan is empty."""
    seen = world(listing(OLD), copies=OLD_ALONE)
    found = planner.plan(seen, APPLY)
    assert [step.reason for step in found.steps] == [Reason.ROOT_NEEDED, Reason.STALE_THUMBPRINT]
    assert planner.plan(planner.project(found, seen), APPLY).steps == ()


# -------------------------------------------------------------------------------------------------- what is live


def rolling(settings: SiteSettings, *edits: SettingEdit) -> Step:
    """Return a step that makes these edits of app settings."""
    return Step(RollAppSettings(settings, edits, WEST), Reason.STALE_THUMBPRINT)


SIBLING = public(NEW, "api")
PINNED = SettingEdit("PIN", NEW, (OLD,), OLD)
OWN_KEYED = replace(SIBLING, ref=CopyRef.of_site(site_ref(), "keyed", public=False))


@pytest.mark.parametrize(
    ("copies", "edits", "is_live"),
    [
        pytest.param(BOTH, (NEXT_TO,), True, id="on the app itself"),
        pytest.param((SIBLING,), (NEXT_TO,), True, id="on another app of the plan"),
        pytest.param((public(NEW, "api", "staging"),), (NEXT_TO,), True, id="on a slot of another app of the plan"),
        pytest.param((public(NEW, "far"),), (NEXT_TO,), False, id="on an app of another plan"),
        pytest.param((copy(thumbprint=NEW, source=None),), (NEXT_TO,), False, id="with its key in the webspace"),
        pytest.param((OWN_KEYED,), (NEXT_TO,), False, id="with its key, of the app alone"),
        pytest.param((SIBLING,), (SettingEdit(LOAD_LIST, NEW, (), OLD),), False, id="a load list: of the app alone"),
        pytest.param((SIBLING,), (NEXT_TO, PINNED), True, id="a pin of what its root list names then"),
        pytest.param((SIBLING,), (PINNED,), False, id="a pin of what its root list does not name"),
        pytest.param((), (SettingEdit(ROOT_LIST, None, (OLD,), NEW),), True, id="nothing is put in"),
    ],
)
def test_live_for_a_root_list(
    copies: tuple[WebspaceCertificate, ...], edits: tuple[SettingEdit, ...], *, is_live: bool
) -> None:
    """Certroll lets WEBSITE_LOAD_ROOT_CERTIFICATES name only public certificates of the apps on the app's plan."""
    sites = (hosted(), hosted("api"), hosted("api", "staging"), hosted("far", plan=OTHER_PLAN))
    seen = world(listing(OLD), sites=sites, copies=copies)
    step = rolling(listing(OLD), *edits)
    plan = thumbprint_not_live.guard(Plan((step,)), seen, APPLY)
    assert plan.steps == ((step,) if is_live else ())
    assert [skip.reason for skip in plan.skips] == ([] if is_live else [Reason.NOT_LIVE])
    assert bool(thumbprint_not_live.absent(step.action, seen)) is not is_live


def test_refusal_says_where_a_root_is_missing() -> None:
    """The refusal names the App Service plan if the plan lacks a root of WEBSITE_LOAD_ROOT_CERTIFICATES.

    For settings other than WEBSITE_LOAD_ROOT_CERTIFICATES, the refusal names the webspace.
    """
    seen = world(listing(OLD), copies=())
    for edit, where in (
        (NEXT_TO, "not a public certificate of any app of its App Service plan"),
        (SettingEdit(LOAD_LIST, NEW, (), OLD), f"not in {WEST}"),
    ):
        (skip,) = thumbprint_not_live.guard(Plan((rolling(listing(OLD), edit),)), seen, APPLY).skips
        assert where in skip.detail


def test_key_is_asked_for_where_there_was_one_alone() -> None:
    """An app that loads a private key needs the next version with its key.

    The setting WEBSITE_LOAD_ROOT_CERTIFICATES needs only the public part of a certificate.
    """
    settings = listing(OLD, loaded=(OLD,))
    both = rolling(settings, SettingEdit(LOAD_LIST, NEW, (), OLD), NEXT_TO)
    kept = copy("kept", OLD, source=None)
    seen = world(settings, copies=(*BOTH, kept))
    assert thumbprint_not_live.guard(Plan((both,)), seen, APPLY).steps == ()
    assert thumbprint_not_live.guard(Plan((rolling(settings, NEXT_TO),)), seen, APPLY).steps != ()
    keyed = world(settings, copies=(*BOTH, kept, copy(thumbprint=NEW)))
    assert thumbprint_not_live.guard(Plan((both,)), keyed, APPLY).steps == (both,)


def test_root_that_comes_later_is_waited_for() -> None:
    """Certroll adds a root to WEBSITE_LOAD_ROOT_CERTIFICATES only if the app's plan has the root or will get it."""
    seen, step = world(listing(OLD), copies=OLD_ALONE), rolling(listing(OLD), NEXT_TO)
    (skip,) = not_its_turn.guard(Plan((step,)), seen, APPLY).skips
    assert skip.reason is Reason.AWAITING_FIRST_STAGE
    assert roll_records(seen, Plan((step,)), APPLY, fresh=True) == ()
    (coming,) = (item for item in upload.propose(seen, APPLY) if isinstance(item, Step))
    assert not_its_turn.guard(Plan((coming, step)), seen, APPLY).steps == (coming, step)
    (record,) = roll_records(seen, Plan((coming, step)), APPLY, fresh=True)
    assert set(record.copies) == {BOTH[0].ref, BOTH[1].ref}


# ------------------------------------------------------------------------------------------------------ the gate


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(ROOT, None, id="a root"),
        pytest.param(NO_CA, Reason.NOT_AN_AUTHORITY, id="no certificate authority's"),
        pytest.param(facts(is_ca=True), Reason.NOT_SELF_SIGNED, id="an intermediate"),
        pytest.param(replace(ROOT, client_auth=False), None, id="a root that allows no client authentication"),
        pytest.param(replace(ROOT, key_size=1024), None, id="a root with a small key, which its owner chose"),
    ],
)
def test_only_a_root_is_trusted(said: object, reason: Reason | None) -> None:
    """Certroll refuses a certificate that is no root in WEBSITE_LOAD_ROOT_CERTIFICATES and as an upload for it.

    Certroll requires a root certificate only to be valid, self-signed and a certificate authority's.
    """
    seen = world(listing(OLD), copies=OLD_ALONE, said=said)
    steps = [item for item in upload.propose(seen, APPLY) if isinstance(item, Step)]
    plan = Plan((*steps, rolling(listing(OLD), NEXT_TO)))
    judged = version_unfit.guard(plan, seen, APPLY)
    assert [skip.reason for skip in judged.skips] == ([] if reason is None else [reason, reason])
    assert len(judged.steps) == (2 if reason is None else 0)


def test_version_that_is_expired_is_no_root() -> None:
    """Certroll refuses an expired root certificate with the reason that it is expired."""
    seen = world(listing(OLD), lineage=lineage(version(facts=ROOT, not_after=NOW - HOUR), old_version()))
    (skip,) = version_unfit.guard(Plan((rolling(listing(OLD), NEXT_TO),)), seen, APPLY).skips
    assert skip.reason is Reason.EXPIRED


def test_what_is_no_root_still_rolls_elsewhere() -> None:
    """If the version is no root, Certroll leaves WEBSITE_LOAD_ROOT_CERTIFICATES out of an app's settings update.

    If the version is no root, Certroll gives the reason and updates the other settings of the app.
    """
    loaded = SettingEdit(LOAD_LIST, NEW, (), OLD)
    settings = listing(OLD, loaded=(OLD,))
    for said, edits, skips in (
        (NO_CA, (loaded,), [("root list of shop", Reason.NOT_AN_AUTHORITY)]),
        (ROOT, (loaded, NEXT_TO), []),
    ):
        judged = version_unfit.guard(Plan((rolling(settings, loaded, NEXT_TO),)), world(settings, said=said), APPLY)
        assert judged.steps == (rolling(settings, *edits),)
        assert [(skip.subject, skip.reason) for skip in judged.skips] == skips
        assert all(skip.site == site_ref() for skip in judged.skips)
    weak = world(settings, said=replace(ROOT, key_size=1024))
    (skip,) = version_unfit.guard(Plan((rolling(settings, loaded, NEXT_TO),)), weak, APPLY).skips
    assert skip.reason is Reason.KEY_TOO_SMALL


# ------------------------------------------------------------------------------------------------------------ admission


def told(seen: Snapshot, *steps: Step) -> RollRecord:
    """Return the record of the only app whose settings Certroll may now update."""
    (record,) = roll_records(seen, Plan(steps), APPLY, fresh=True)
    return record


def test_record_says_that_the_tag_asked() -> None:
    """An app's record for a settings update says whether the tag `certroll-root-on` asked for the root.

    Certroll's run for one app does not read the other apps, so it cannot resolve the short names in the tag.
    """
    assert told(world(listing(), tags=ASKED), rolling(listing(), BEGUN)).wants_root
    assert told(world(listing(OLD), tags=ASKED), rolling(listing(OLD), NEXT_TO)).wants_root
    assert not told(world(listing(OLD)), rolling(listing(OLD), NEXT_TO)).wants_root
    assert not told(
        world(listing(NEW, loaded=(OLD,)), tags=ASKED), rolling(listing(NEW, loaded=(OLD,)), PINNED)
    ).wants_root


def test_apps_own_run_goes_by_the_record() -> None:
    """Certroll's run for an app reads from the app's record, and not from the tag, that the app wants a root."""
    assert not lacks_root(replace(world(listing(), tags=ASKED), wanting_root=frozenset()), listing())
    assert lacks_root(replace(world(listing()), wanting_root=frozenset({site_ref()})), listing())
    assert not lacks_root(replace(world(listing(), sites=(LINUX,)), wanting_root=frozenset({site_ref()})), listing())


def test_app_lacks_no_root_without_a_current_version() -> None:
    """An app whose tag wants a root lacks no root while no version of the vault certificate is fit for use."""
    seen = replace(world(listing()), lineage=lineage(current=None), wanting_root=frozenset({site_ref()}))
    assert not lacks_root(seen, listing())


def test_record_names_one_certificate_of_each_root() -> None:
    """An app's record names one App Service certificate for each root, and prefers the app's own certificates."""
    sites = (hosted("api"), hosted("bill"), hosted())
    copies = (public(OLD, "api"), public(NEW, "api"), public(NEW, "bill"), public(OLD, name="by-hand"))
    record = told(world(listing(OLD), sites=sites, copies=copies), rolling(listing(OLD), NEXT_TO))
    assert record.copies == tuple(sorted((copies[1].ref, copies[3].ref)))


@pytest.mark.parametrize(
    ("before", "undone"),
    [
        pytest.param(roll(RollState.VALIDATED, replaces=()), (), id="the tag asks for the first time"),
        pytest.param(
            replace(roll(RollState.VALIDATED, replaces=()), wants_root=True),
            (NOW,),
            id="somebody took out what was begun",
        ),
        pytest.param(replace(roll(RollState.REFUSED, replaces=()), wants_root=True), (), id="it was never written"),
    ],
)
def test_what_was_begun_and_taken_out_counts_as_undone(before: RollRecord, undone: tuple[object, ...]) -> None:
    """Certroll records that another writer removed a WEBSITE_LOAD_ROOT_CERTIFICATES which Certroll had created."""
    record = told(world(listing(), tags=ASKED, rolls=(before,)), rolling(listing(), BEGUN))
    assert record.undone == undone


def test_what_is_fought_over_is_left_for_a_day() -> None:
    """If another writer removed Certroll's new WEBSITE_LOAD_ROOT_CERTIFICATES twice, Certroll writes nothing for a day.

    Certroll waits for a day only if another writer removed the setting twice within 24 hours.
    """
    before = replace(roll(RollState.VALIDATED, replaces=(), undone=(NOW - CONTEST_WINDOW / 2,)), wants_root=True)
    found, (skip,) = proposed(world(listing(), tags=ASKED, rolls=(before,)))
    assert (found, skip.reason) == ([], Reason.CONTESTED)


def test_overlap_that_people_made_is_asked() -> None:
    """Certroll probes an app without a record whose WEBSITE_LOAD_ROOT_CERTIFICATES names the old and the new root.

    Where App Service ignores WEBSITE_LOAD_ROOT_CERTIFICATES, Certroll does not probe an app for its roots.
    """
    assert has_unrecorded(world(listing(OLD, NEW)), Plan(), APPLY)
    assert not has_unrecorded(world(listing(OLD, NEW), sites=(LINUX,)), Plan(), APPLY)
    assert not has_unrecorded(world(listing(NEW), tags=ASKED), Plan(), APPLY)


# ----------------------------------------------------------------------------------------------------- deletions


def judged(seen: Snapshot) -> list[tuple[Reason, str]]:
    """Return the reason and detail of each deletion and refusal for the superseded certificates."""
    steps = tuple(item for item in delete_certificate.propose(seen, APPLY) if isinstance(item, Step))
    plan = still_needed.guard(Plan(steps), seen, replace(APPLY, delete_superseded=True))
    return [(step.reason, "") for step in plan.steps] + [(skip.reason, skip.detail) for skip in plan.skips]


AGED = lineage(version(created=LONG_AGO, facts=ROOT), old_version())
MATES = hosted(), hosted("api")
DONE = (roll(RollState.VALIDATED, at=LONG_AGO, replaces=()), roll(RollState.VALIDATED, site="api", at=LONG_AGO))


def over(*settings: SiteSettings, **others: object) -> Snapshot:
    """Return a snapshot in which apps have used the new root for 40 days."""
    ordinary: dict[str, object] = {"lineage": AGED, "sites": MATES, "rolls": DONE}
    return world(*settings, **{**ordinary, **others})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "reason", "detail"),
    [
        pytest.param(over(listing(NEW), listing(NEW, site="api")), Reason.SUPERSEDED, "", id="nothing names it"),
        pytest.param(
            over(listing(NEW), listing(NEW, site="api", mentions=mentions(OLD))),
            Reason.STILL_USED,
            "named by app settings of api",
            id="an app of the plan mentions it",
        ),
        pytest.param(
            over(
                listing(NEW),
                listing(NEW, site="api", mentions=mentions(OLD)),
                sites=(hosted(), hosted("api", plan=OTHER_PLAN)),
            ),
            Reason.SUPERSEDED,
            "",
            id="an app of another plan mentions it",
        ),
        pytest.param(
            over(
                listing(NEW),
                listing(NEW, site="api", mentions=mentions(OLD)),
                sites=tuple(replace(app, environment=None) for app in MATES),
            ),
            Reason.SUPERSEDED,
            "",
            id="an app of the plan mentions it, outside of an environment",
        ),
        pytest.param(
            over(listing(NEW), replace(listing(NEW, site="api"), loads_everything=True)),
            Reason.SUPERSEDED,
            "",
            id="an app of the plan loads everything of its own",
        ),
        pytest.param(over(listing(NEW)), Reason.NOT_SEEN, "the settings of api", id="an app of the plan is not seen"),
        pytest.param(
            over(listing(NEW), sites=(hosted(), hosted("api", plan=OTHER_PLAN))),
            Reason.SUPERSEDED,
            "",
            id="an app of another plan is not seen",
        ),
        pytest.param(
            over(listing(NEW), listing(NEW, site="api"), rolls=DONE[:1]),
            Reason.NOT_PROVEN,
            "Certroll did not see api use the current version",
            id="an app of the plan has not proven the new one",
        ),
        pytest.param(
            over(listing(NEW), listing(loaded=(NEW,), site="api"), rolls=DONE[:1]),
            Reason.SUPERSEDED,
            "",
            id="an app of the plan loads the new one for itself",
        ),
        pytest.param(
            over(listing(NEW), listing(NEW, site="api"), copies=(BOTH[0], SIBLING)),
            Reason.SUPERSEDED,
            "",
            id="the new one is on another app of the plan",
        ),
        pytest.param(
            over(listing(NEW), listing(NEW, site="api"), copies=(BOTH[0],)),
            Reason.NOT_PROVEN,
            "the current version is not in its webspace",
            id="the new one is on no app of the plan",
        ),
    ],
)
def test_root_stays_while_the_plan_needs_it(seen: Snapshot, reason: Reason, detail: str) -> None:
    """Certroll keeps a superseded public certificate while any app of its plan in an environment may trust it."""
    ((found, said),) = judged(seen)
    assert (found, detail in said) == (reason, True)


def test_apps_of_the_plan_are_looked_at_once_more() -> None:
    """Just before it deletes a public certificate, Certroll reads the settings of every app of the plan once more."""
    seen = over(listing(NEW), listing(NEW, site="api"))
    (step,) = (item for item in delete_certificate.propose(seen, APPLY) if isinstance(item, Step))
    assert isinstance(step.action, DeleteCertificate)
    assert step.action.apps == (site_ref(), site_ref("api"))


# ------------------------------------------------------------------------------------------------------ siblings


@pytest.mark.parametrize(
    ("settings", "sites", "tags", "apps"),
    [
        pytest.param((listing(NEW), listing(site="api")), MATES, (), "api", id="its list names nothing"),
        pytest.param((listing(OLD), listing(FOREIGN, site="api")), MATES, (), "api", id="its list names another's"),
        pytest.param((listing(NEW), listing(OLD, site="api")), MATES, (), "", id="its list names an older one"),
        pytest.param((listing(FOREIGN), listing(site="api")), MATES, (), "", id="nobody names it"),
        pytest.param((listing(NEW), listing(site="api")), (hosted(), hosted("api", tags=OFF)), (), "", id="it is out"),
        pytest.param(
            (listing(NEW), listing(site="api")), (hosted(), hosted("api", plan=OTHER_PLAN)), (), "", id="another plan"
        ),
        pytest.param(
            (listing(NEW), listing(site="api")),
            (hosted(), replace(hosted("api"), windows_code=False)),
            (),
            "",
            id="a container, which supports no list",
        ),
        pytest.param((listing(NEW), listing(site="gone")), (hosted(),), (), "", id="it was not seen"),
        pytest.param((listing(NEW), listing(site="api")), MATES, (("certroll-root-on", "api"),), "", id="it gets it"),
        pytest.param(
            (listing(NEW), *(listing(site=f"a{n:02}") for n in range(12))),
            (hosted(), *(hosted(f"a{n:02}") for n in range(12))),
            (),
            "a00, a01, a02, a03, a04, a05, a06, a07, a08, a09 and 2 more",
            id="many: ten by name",
        ),
    ],
)
def test_who_shares_a_root_is_named(
    settings: tuple[SiteSettings, ...], sites: tuple[Site, ...], tags: Tags, apps: str
) -> None:
    """Certroll names the apps of a plan that trust a root only because another app names the root.

    An app names a root in the setting WEBSITE_LOAD_ROOT_CERTIFICATES.
    """
    found = sharing(world(*settings, sites=sites, tags=tags))
    assert [(skip.subject, skip.reason, skip.detail.partition(" may trust")[0]) for skip in found] == (
        [("apps of plan one", Reason.ROOT_SHARED, apps)] if apps else []
    )


def test_plans_that_share_a_root_are_in_order() -> None:
    """Certroll names the plans whose apps share a root in the order of the plans, whatever the order of the apps."""
    sites = hosted(plan=OTHER_PLAN), hosted("a", plan=OTHER_PLAN), hosted("y"), hosted("z")
    found = sharing(world(listing(NEW), listing(site="a"), listing(NEW, site="y"), listing(site="z"), sites=sites))
    assert [skip.subject for skip in found] == ["apps of plan one", "apps of plan two"]


@pytest.mark.parametrize(
    ("certificate", "apps"),
    [
        pytest.param(public(OLD), ("api",), id="a public certificate of the app: its plan's other apps may trust it"),
        pytest.param(
            replace(public(OLD), ref=CopyRef.of_site(site_ref(), "key", public=False)), (), id="the app's private one"
        ),
        pytest.param(copy(thumbprint=OLD), (), id="a certificate of the webspace"),
    ],
)
def test_apps_that_may_trust_a_public_certificate_are_known(
    certificate: WebspaceCertificate, apps: tuple[str, ...]
) -> None:
    """Only a public certificate of an app may be a root for the other apps of the app's plan."""
    seen = world(listing(), listing(site="api"), sites=MATES)
    assert tuple(settings.site.name for settings in seen.settings_sharing(certificate)) == apps


# ------------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("said", "is_root"),
    [
        pytest.param(ROOT, True, id="a root"),
        pytest.param(NO_CA, True, id="self-signed: it may be in a list, and people are told that it is none"),
        pytest.param(facts(is_ca=True), True, id="an intermediate, as well"),
        pytest.param(facts(), False, id="what somebody issued"),
        pytest.param(None, False, id="what was not read"),
    ],
)
def test_roots_are_looked_for_where_there_may_be_one(said: object, *, is_root: bool) -> None:
    """Certroll reads the public certificates of an environment's apps only for versions that may be roots."""
    targets = Targets.of((roots(said=said),))
    assert targets.roots == ({NEW, OLD} if is_root else set())
    assert targets.needs_root(hosted(), listing(OLD)) is is_root
    assert not targets.needs_root(hosted(), listing(FOREIGN))
    assert not targets.needs_root(LINUX, listing(OLD))
    assert not targets.needs_root(hosted(), None)


def test_lineage_without_a_good_version_is_looked_for_nowhere() -> None:
    """If no version of a vault certificate is good, Certroll reads no public certificates for it."""
    assert Targets.of((lineage(version(facts=ROOT), current=None),)).roots == frozenset()


def test_apps_of_the_tag_are_targets() -> None:
    """Certroll reads the settings of the apps that the tag names, wherever the apps are."""
    targets = Targets.of((roots(tags=ASKED),))
    assert (targets.sites, targets.wanting_root, targets.anywhere) == ({"shop"}, {"shop"}, True)
    assert targets.needs_root(hosted(), None)
    assert not targets.needs_root(hosted("api"), None)


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        pytest.param(listing(OLD), False, id="it is trusted"),
        pytest.param(listing(OLD, loaded=(OLD,)), True, id="it is loaded, too"),
    ],
)
def test_root_is_not_held_to_what_callers_need(settings: SiteSettings, *, warned: bool) -> None:
    """Certroll warns about a root without client authentication only if an app also loads the root."""
    seen = world(settings, said=replace(ROOT, client_auth=False))
    assert bool(version_warnings(seen)) is warned


def test_plan_mates_are_of_one_plan() -> None:
    """Two apps count as apps of one plan only if Azure lists both apps and names the plan of both."""
    sites = (hosted(), hosted("api"), hosted("far", plan=OTHER_PLAN), hosted("x", plan=""), hosted("y", plan=""))
    fleet = world(sites=sites).fleet
    expected: Mapping[str, tuple[SiteRef, ...]] = {"shop": (site_ref("api"),), "far": (), "x": (), "gone": ()}
    assert {name: fleet.plan_mates(site_ref(name)) for name in expected} == expected
    many = world(sites=tuple(map(hosted, "zmak"))).fleet
    assert many.plan_mates(site_ref("m")) == (site_ref("a"), site_ref("k"), site_ref("z"))


def test_older_rows_of_two_versions_may_stand_in_a_list() -> None:
    """A settings update keeps the last good of two old roots, and removes the other root.

    Once an app works with the last good root, a settings update removes older roots from the app's list.
    """
    three = lineage(version(facts=ROOT), old_version(), old_version("v0", OLDER))
    seen = world(
        listing(OLDER, OLD),
        lineage=three,
        copies=(*BOTH, public(OLDER)),
        rollout=rollout(past=(roll(RollState.VALIDATED, proven=(OLD,)),)),
    )
    assert proposed(seen)[0] == [(SettingEdit(ROOT_LIST, NEW, (OLDER,), OLD),)]


@pytest.mark.parametrize(
    ("kind", "properties", "is_code"),
    [
        pytest.param("app", {}, True, id="a web app"),
        pytest.param("functionapp", {"reserved": False, "isXenon": False, "hyperV": None}, True, id="a function app"),
        pytest.param("App,WorkflowApp", {}, True, id="a logic app"),
        pytest.param(None, {}, True, id="Azure does not say the kind"),
        pytest.param("app,linux", {"reserved": True}, False, id="Linux"),
        pytest.param("app", {"reserved": True}, False, id="Linux by its property alone"),
        pytest.param("functionapp,Linux", {}, False, id="Linux by its kind alone"),
        pytest.param("app,linux,container", {"reserved": True}, False, id="a Linux container"),
        pytest.param("app,container,windows", {"isXenon": True}, False, id="a Windows container"),
        pytest.param("app, container, windows", {}, False, id="a container by its kind alone"),
        pytest.param("app", {"hyperV": True}, False, id="a container by its property alone"),
    ],
)
def test_windows_code_is_known(kind: str | None, properties: dict[str, object], *, is_code: bool) -> None:
    """Certroll treats an app as code on Windows if neither kind nor properties name Linux or a container."""
    properties = {"hostNameSslStates": [], "defaultHostName": "shop.azurewebsites.net", **properties}
    seen, _ = read_site({"id": site_ref().resource_id, "kind": kind, "properties": properties})
    assert seen.windows_code is is_code
    assert not seen.supports_root_list
