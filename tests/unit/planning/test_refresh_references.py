"""Test when Certroll asks App Service to fetch the newest version for an app's Key Vault references."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.errors import Denied, OutcomeUnknown
from shared.domain.fleet.app_settings import SiteSettings, VaultReference
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import WRITTEN, RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions import refresh_references
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.notices import went_back
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    DAY,
    NEWER,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    WEST,
    ManualClock,
    RecordingAppService,
    lineage,
    named,
    old_version,
    ports,
    roll,
    rollout,
    site,
    site_ref,
    snapshot,
    version,
)

FOLLOWS = VaultReference("K", REF, None, "v1")
PINNED = VaultReference("P", REF, "v1", "v1")
BEHIND = named(led=(FOLLOWS,))


def world(*settings: SiteSettings, rolls: tuple[RollRecord, ...] = ()) -> Snapshot:
    """Return the default snapshot of Azure with these app settings."""
    return snapshot(settings=settings, rollout=rollout(rolls=rolls))


def step(settings: SiteSettings = BEHIND) -> Step:
    """Return the step that refreshes an app's references."""
    return Step(RefreshReferences(settings, "v2", WEST), Reason.STALE_REFERENCE)


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param(FOLLOWS, id="it leads to the version before"),
        pytest.param(VaultReference("K", REF, None, None), id="where it leads is not known"),
    ],
)
def test_reference_that_is_behind_is_refreshed(reference: VaultReference) -> None:
    """Certroll refreshes an app's Key Vault references once if any reference still leads to an older version."""
    settings = named(led=(VaultReference("A", REF, None, "v2"), reference, VaultReference("Z", OTHER_REF)))
    assert list(refresh_references.propose(world(settings), APPLY)) == [step(settings)]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(named(), id="it has no reference"),
        pytest.param(named(led=(VaultReference("K", REF, None, "v2"),)), id="it has the current version"),
        pytest.param(named(led=(VaultReference("K", REF, "v2", "v1"),)), id="it names the current version"),
        pytest.param(named(led=(VaultReference("K", OTHER_REF, None, "v1"),)), id="it leads to another certificate"),
        pytest.param(named(led=(VaultReference("K", OTHER_REF, "v1", "v1"),)), id="it names another certificate's"),
        pytest.param(named(site="gone", led=(FOLLOWS,)), id="its site was not seen"),
        pytest.param(named(led=(VaultReference("K", REF, None, "gone"),)), id="it has what the vault has no more"),
    ],
)
def test_other_app_is_left_alone(settings: SiteSettings) -> None:
    """Certroll refreshes no app whose Key Vault references lead to the current version or other vault objects."""
    assert list(refresh_references.propose(world(settings), APPLY)) == []


def test_site_of_unknown_webspace_is_left_alone() -> None:
    """Certroll refreshes no app whose App Service webspace Azure does not report."""
    seen = snapshot(sites=(site(webspace=None),), settings=(BEHIND,))
    assert list(refresh_references.propose(seen, APPLY)) == []


def test_nothing_is_refreshed_without_a_current_version() -> None:
    """Certroll refreshes no Key Vault references while no version of the vault certificate is good."""
    seen = snapshot(lineage=lineage(current=None), settings=(named(led=(FOLLOWS, PINNED)),))
    assert list(refresh_references.propose(seen, APPLY)) == []


@pytest.mark.parametrize("active", ["v1", "v3", None])
def test_nothing_is_refreshed_while_the_newest_version_is_refused(active: str | None) -> None:
    """Certroll refreshes no references while the newest version is refused, because a refresh fetches that version."""
    refused = lineage(
        version("v3", NEWER), version(), old_version(), current=1, refusal=Refusal(Reason.NOT_YET_VALID, "tomorrow")
    )
    seen = snapshot(lineage=refused, settings=(named(led=(VaultReference("K", REF, None, active),)),))
    assert list(refresh_references.propose(seen, APPLY)) == []


RESTORED = (version("old", OLD, not_before=NOW - 60 * DAY, not_after=NOW + 30 * DAY), version("Later", NEWER))


@pytest.mark.parametrize("active", ["later", None])
def test_reference_keeps_a_later_certificate_after_a_restore(active: str | None) -> None:
    """After a restore reversed the vault's order, Certroll has no app fetch an earlier certificate than it has.

    If Certroll cannot read which version the app has, the app may have the later one.
    """
    settings = named(led=(VaultReference("K", REF, None, active),))
    restored = snapshot(lineage=lineage(*RESTORED), settings=(settings,))
    (skip,) = refresh_references.propose(restored, APPLY)
    assert isinstance(skip, Skip)
    assert (skip.subject, skip.reason, skip.site) == ("app settings of shop", Reason.LATER_IN_USE, site_ref())
    assert "begins and ends later than version old" in skip.detail
    disabled = replace(RESTORED[1], enabled=False)
    meant = snapshot(lineage=lineage(RESTORED[0], disabled), settings=(settings,))
    assert [found.reason for found in refresh_references.propose(meant, APPLY)] == [Reason.STALE_REFERENCE]


def test_reference_that_azure_takes_back_by_itself_is_told() -> None:
    """If App Service fetched the earlier certificate after a restore by itself, Certroll reports the app."""
    settings = named(led=(VaultReference("K", REF, None, "old"), VaultReference("O", OTHER_REF, None, "old")))
    (found,) = went_back(snapshot(lineage=lineage(*RESTORED), copies=(), settings=(settings, named(site="api"))))
    assert (found.subject, found.reason) == ("Key Vault references of shop", Reason.WENT_BACK)
    assert "version Later begins and ends later" in found.detail


def test_reference_that_names_a_later_certificate_is_right() -> None:
    """Certroll tells nobody to let a reference name an earlier certificate than the reference names."""
    settings = named(led=(VaultReference("P", REF, "later", "later"),))
    assert list(refresh_references.propose(snapshot(lineage=lineage(*RESTORED), settings=(settings,)), APPLY)) == []


def test_version_of_a_reference_has_no_case() -> None:
    """Certroll compares the version in a Key Vault reference without regard to case, as Key Vault does."""
    current = version("ABC", created=NOW)
    led = VaultReference("K", REF, "abc", "abc"), VaultReference("L", REF, None, "abc")
    seen = snapshot(lineage=lineage(current, old_version()), settings=(named(led=led),))
    assert list(refresh_references.propose(seen, APPLY)) == []
    behind = named(led=(VaultReference("K", REF, None, "v1"),))
    seen = snapshot(lineage=lineage(version(), old_version("V1")), settings=(behind,))
    assert list(refresh_references.propose(seen, APPLY)) == [step(behind)]


def test_app_is_refreshed_once_for_a_version() -> None:
    """Certroll refreshes no references of an app that it already restarted or refreshed for the same version."""
    for name, excluded in (("shop", WRITTEN), ("other", frozenset[RollState]())):
        worlds = {state: world(BEHIND, rolls=(roll(state, site=name),)) for state in RollState}
        found = {state: list(refresh_references.propose(seen, APPLY)) for state, seen in worlds.items()}
        assert found == {state: [] if state in excluded else [step()] for state in RollState}


def test_reference_that_names_a_version_is_its_owners() -> None:
    """Certroll only reports a Key Vault reference that names a fixed older version, and does not refresh for it."""
    led = VaultReference("Z", REF, "v0", "v0"), PINNED, VaultReference("C", REF, "v2", "v2")
    assert list(refresh_references.propose(world(named(led=led)), APPLY)) == [
        Skip(
            "app settings of shop",
            Reason.PINNED_REFERENCE,
            "P, Z names another version of kv-shop/shop: let the reference name the new version, or no "
            "version to follow the vault",
            site_ref(),
        )
    ]


def test_reference_beside_one_that_names_a_version_is_refreshed() -> None:
    """Certroll refreshes an app for its unversioned Key Vault reference, and reports its versioned reference."""
    settings = named(led=(PINNED, FOLLOWS))
    skip, refresh = refresh_references.propose(world(settings), APPLY)
    assert (skip.reason, refresh) == (Reason.PINNED_REFERENCE, step(settings))


def test_apps_are_refreshed_in_a_stable_order() -> None:
    """Certroll refreshes references of apps in the same order, whatever the order in which settings were read."""
    settings = tuple(named(site=name, led=(FOLLOWS,)) for name in ("b", "a"))
    seen = snapshot(sites=(site("b"), site("a")), settings=settings)
    assert [item.subject[-1] for item in refresh_references.propose(seen, APPLY)] == ["a", "b"]


def test_projection_has_the_current_version() -> None:
    """The snapshot predicted for a refresh gives the app's references without a version the current version.

    References with a version, references to other certificates, and other apps' references stay unchanged.
    """
    other = named(site="other", led=(FOLLOWS,))
    settings = named(led=(FOLLOWS, PINNED, VaultReference("O", OTHER_REF, None, "v1")))
    after = RefreshReferences(settings, "v2", WEST).project(world(other, settings))
    fetched = VaultReference("K", REF, None, "v2"), PINNED, VaultReference("O", OTHER_REF, None, "v1")
    assert after == world(other, named(led=fetched))


def test_new_version_is_compared_with_the_version_that_the_app_has() -> None:
    """Certroll compares the new version with those to which the app's references lead, else with the one before."""
    disabled = replace(old_version(), enabled=False)
    known = lineage(version(), disabled, old_version("v0", OLDER))
    for active, compared in (("v0", [False]), ("v1", [True]), (None, [False, True])):
        settings = named(led=(VaultReference("K", REF, None, active),))
        seen = snapshot(lineage=known, settings=(settings,))
        (case,) = step(settings).action.cases(version(), seen)
        assert [used.disabled for used in case.in_use] == compared


def test_refresh_is_asked_for_once() -> None:
    """Certroll asks App Service for one refresh of Key Vault references, and raises Azure's refusal."""
    azure = RecordingAppService()
    assert step().action.perform(ports(azure, ManualClock()))
    assert azure.writes == [("refresh", site_ref())]
    azure.failures.append(Denied("403"))
    with pytest.raises(Denied):
        step().action.perform(ports(azure, ManualClock()))


def test_refresh_of_unknown_outcome_is_not_repeated() -> None:
    """If Azure gives no answer to a refresh of references, Certroll says so, and does not repeat it in the same run."""
    azure = RecordingAppService(failures=[OutcomeUnknown("504")])
    with pytest.raises(OutcomeUnknown):
        step().action.perform(ports(azure, ManualClock()))
    assert azure.writes == [("refresh", site_ref())]


def test_refresh_says_what_it_is() -> None:
    """A refresh of Key Vault references concerns one app, may restart it, and needs no certificate in the webspace."""
    action = step().action
    assert (action.subject, action.site, action.webspace) == ("Key Vault references of shop", site_ref(), WEST)
    assert (action.restarts_site, action.writes) == (True, frozenset())
