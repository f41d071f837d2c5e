"""Test how Certroll removes superseded versions from WEBSITE_LOAD_CERTIFICATES if a tag asks for it."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.app_settings import LOAD_LIST, ReferenceKind, SettingEdit, SettingReference, SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Site
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions import retire_thumbprint
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.plan import Step
from tests.build import (
    APPLY,
    FOREIGN,
    NEW,
    OLD,
    OLDER,
    OTHER_REF,
    WEST,
    copy,
    lineage,
    named,
    old_version,
    roll,
    rollout,
    site,
    snapshot,
    version,
)

ON: Tags = (("Certroll-Retire", " ON "),)
NO: Tags = (("certroll-retire", "off"),)
BOTH = named(OLD, NEW)
VALIDATED = (roll(RollState.VALIDATED),)
THREE = (version(), old_version(), old_version("v0", OLDER))
OUT = SettingEdit(LOAD_LIST, None, (OLD,), NEW)


def world(
    settings: SiteSettings = BOTH,
    *,
    sites: tuple[Site, ...] = (site(tags=ON),),
    rolls: tuple[RollRecord, ...] = VALIDATED,
    versions: Lineage | None = None,
    copies: tuple[WebspaceCertificate, ...] = (),
) -> Snapshot:
    """Return a snapshot with a validated app that lists both versions, and whose tag asks to remove old ones."""
    known = versions or lineage(*THREE)
    return snapshot(lineage=known, sites=sites, settings=(settings,), copies=copies, rollout=rollout(rolls=rolls))


def edits(seen: Snapshot) -> tuple[SettingEdit, ...]:
    """Return the edits of the only proposed step after a check of the step, or no edits without a step."""
    items = list(retire_thumbprint.propose(seen, APPLY))
    if not items:
        return ()
    (step,) = items
    assert isinstance(step, Step)
    assert isinstance(step.action, RetireThumbprint)
    assert step.action.edits
    assert step == Step(RetireThumbprint(seen.fleet.settings[0], step.action.edits, WEST), Reason.SUPERSEDED)
    return step.action.edits


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(BOTH, (OUT,), id="the old one"),
        pytest.param(named(NEW, FOREIGN, OLD), (OUT,), id="the old one, and nothing of another's"),
        pytest.param(
            named(OLDER, NEW, OLD),
            (SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW),),
            id="all old ones, last good first",
        ),
        pytest.param(
            named(OLD, NEW, pins={"A": NEW, "B": FOREIGN}), (OUT,), id="where pins name the new one, or others"
        ),
        pytest.param(named(OLD), (), id="not where the new one is not listed"),
        pytest.param(named(NEW), (), id="not where there is nothing old"),
        pytest.param(named(NEW, FOREIGN), (), id="not what is another's"),
        pytest.param(named(OLD, NEW, pins={"PIN": OLD}), (), id="not what is pinned"),
        pytest.param(named(OLD, NEW, pins={"PIN": OLDER}), (), id="not while any old one is pinned"),
        pytest.param(named(NEW, pins={"PIN": OLD}), (), id="not out of a pin"),
    ],
)
def test_what_is_superseded_is_retired(settings: SiteSettings, expected: tuple[SettingEdit, ...]) -> None:
    """Certroll removes old thumbprints from WEBSITE_LOAD_CERTIFICATES if the list has the new thumbprint.

    Certroll keeps an old thumbprint that another setting has as its value.
    """
    assert edits(world(settings)) == expected


def test_lists_of_two_spellings_are_both_cleaned() -> None:
    """Certroll cleans each spelling of the setting WEBSITE_LOAD_CERTIFICATES that lists the new version."""
    lists = (
        ("website_load_certificates", NEW),
        ("website_load_certificates", OLDER),
        (LOAD_LIST, OLD),
        (LOAD_LIST, NEW),
        ("Website_Load_Certificates", OLD),
    )
    references = tuple(SettingReference(key, ReferenceKind.LOAD_LIST, thumbprint) for key, thumbprint in lists)
    assert edits(world(replace(named(), references=references))) == (
        OUT,
        SettingEdit("website_load_certificates", None, (OLDER,), NEW),
    )


@pytest.mark.parametrize(
    ("tags", "inherited", "of_the_certificate", "asked"),
    [
        pytest.param(ON, (), (), True, id="the site asks"),
        pytest.param((), (), ON, True, id="the vault certificate asks"),
        pytest.param(NO, (), ON, False, id="the site wins over the vault certificate"),
        pytest.param(ON, (), NO, True, id="the site asks though the vault certificate does not"),
        pytest.param((), (), (), False, id="nobody asks"),
        pytest.param((("certroll-retire", "yes"),), (), (), False, id="another word is no request"),
        pytest.param((("certroll-retire", ""),), (), ON, False, id="an empty word is none, and wins"),
        pytest.param((), ON, (), True, id="the site of the slot asks"),
        pytest.param(NO, ON, ON, False, id="the slot wins over its site"),
    ],
)
def test_nothing_is_retired_without_a_request(
    tags: Tags, inherited: Tags, of_the_certificate: Tags, *, asked: bool
) -> None:
    """A slot's tag decides whether Certroll removes old versions.

    Without a slot's tag, the site's tag decides, and otherwise the vault certificate's tag.
    """
    seen = world(
        named(OLD, NEW, slot="staging"),
        sites=(site(tags=inherited), site(slot="staging", tags=tags)),
        rolls=(roll(RollState.VALIDATED, slot="staging"),),
        versions=lineage(*THREE, tags=of_the_certificate),
    )
    assert edits(seen) == ((OUT,) if asked else ())


@pytest.mark.parametrize(
    ("rolls", "proven"),
    [
        *(pytest.param((roll(state),), state is RollState.VALIDATED, id=f"the roll is {state}") for state in RollState),
        pytest.param((roll(RollState.STALE, retiring=True),), True, id="it was told to retire"),
        pytest.param((roll(RollState.FAILED, retiring=True),), False, id="its retirement failed"),
        pytest.param((roll(RollState.UNPROVEN, retiring=True),), False, id="its retirement was not proven"),
        pytest.param((), False, id="nothing is recorded"),
        pytest.param((roll(RollState.VALIDATED, site="other"),), False, id="another app is validated"),
    ],
)
def test_nothing_is_retired_before_it_is_proven(rolls: tuple[RollRecord, ...], *, proven: bool) -> None:
    """Certroll removes the old version only from an app that was seen to use the new version."""
    assert bool(edits(world(rolls=rolls))) is proven


def test_app_that_was_told_retires_what_it_was_told_to() -> None:
    """Certroll removes exactly the old thumbprints that the app's record names."""
    told = roll(RollState.STALE, retiring=True, replaces=(OLD,))
    assert edits(world(named(OLD, OLDER, NEW), rolls=(told,))) == (OUT,)


def test_what_another_vault_certificate_claims_is_not_retired() -> None:
    """Certroll does not remove a thumbprint from app settings if it may belong to another vault certificate."""
    assert edits(world(copies=(copy("theirs", source=OTHER_REF),))) == ()


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(world(sites=()), id="its site was not seen"),
        pytest.param(world(replace(BOTH, changing=True)), id="this plan writes its settings already"),
        pytest.param(world(sites=(site(webspace=None, tags=ON),)), id="its webspace is not known"),
        pytest.param(world(versions=lineage(*THREE, current=None)), id="no version passes the gate"),
    ],
)
def test_nothing_is_retired_blindly(seen: Snapshot) -> None:
    """Certroll removes nothing from an app if it does not know the current version or the app's webspace."""
    assert edits(seen) == ()


def test_apps_are_cleaned_in_a_stable_order() -> None:
    """Certroll removes old versions from apps in the same order, whatever the order in which settings were read."""
    apps = "b", "a", "c"
    seen = snapshot(
        sites=tuple(site(name, tags=ON) for name in apps),
        settings=tuple(named(OLD, NEW, site=name) for name in apps),
        rollout=rollout(rolls=tuple(roll(RollState.VALIDATED, site=name) for name in apps)),
    )
    assert [item.subject[-1] for item in retire_thumbprint.propose(seen, APPLY)] == ["a", "b", "c"]


def test_what_is_retired_once_is_not_retired_again() -> None:
    """Certroll removes each old version from an app's settings only once."""
    seen = world()
    (step,) = retire_thumbprint.propose(seen, APPLY)
    assert isinstance(step, Step)
    assert edits(step.action.project(seen)) == ()
