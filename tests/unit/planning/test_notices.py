"""Test what operators are told of a refused version, of thumbprints inside longer texts, and of blind spots."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Lineage, Refusal
from shared.domain.certificates.version import InUse
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, ReferenceKind, SettingReference, VaultReference
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.subject import identity
from shared.planning import fleet_notices, notices
from shared.planning.acting.in_use import in_use, uncompared
from shared.planning.plan import Skip
from tests.build import (
    LINEAGE,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OLD,
    OLDER,
    REF,
    SUBSCRIPTION,
    WEST,
    binding,
    blind_spot,
    copy,
    lineage,
    named,
    old_version,
    root,
    site,
    snapshot,
    version,
)

OTHER_SUBSCRIPTION = "11111111-1111-1111-1111-11111111111a"
NOTHING_USES_IT = snapshot(bindings=(), copies=())


# --------------------------------------------------------------------------------------------------- a refused version


def refused(reason: Reason = Reason.EXPIRED, **differences: object) -> Lineage:
    """Return a vault certificate whose newest version Certroll refuses, so that it goes on with version v2."""
    known = lineage(version("v3", NEWER), version(), old_version(), current=1, refusal=Refusal(reason, "it is bad"))
    return replace(known, **differences)  # type: ignore[arg-type]


TRUSTING = replace(named(), references=(SettingReference(ROOT_LIST, ReferenceKind.ROOT_LIST, OLD, OLD, 0),))


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(snapshot(bindings=()), id="it is imported"),
        pytest.param(snapshot(copies=()), id="a host name shows it"),
        pytest.param(replace(NOTHING_USES_IT, fleet=snapshot(settings=(named(OLD),)).fleet), id="an app names it"),
        pytest.param(snapshot(bindings=(), copies=(), roots=(root(),)), id="an environment has it as a root"),
        pytest.param(snapshot(bindings=(), copies=(), settings=(TRUSTING,)), id="an app trusts it"),
        pytest.param(
            replace(NOTHING_USES_IT, lineage=lineage(tags=(("certroll-root-of", "rg-network/ase"),))),
            id="a tag asks for it",
        ),
    ],
)
def test_refused_newest_version_is_told_where_something_uses_the_certificate(seen: Snapshot) -> None:
    """If Certroll refuses the newest version of a certificate in use, a finding names the version that it goes on with.

    One use is enough, whatever it is.
    """
    seen = replace(seen, lineage=refused(tags=seen.lineage.tags))
    (finding,) = notices.newest_refused(seen, ())
    assert (finding.subject, finding.reason) == ("kv-shop/shop", Reason.EXPIRED)
    assert finding.detail == "its newest version is refused: it is bad; Certroll goes on with version v2"


@pytest.mark.parametrize(
    ("seen", "skips"),
    [
        pytest.param(snapshot(), (), id="no version is refused"),
        pytest.param(snapshot(lineage=refused(current=None)), (), id="no version is good"),
        pytest.param(snapshot(lineage=refused(Reason.NOT_YET_VALID)), (), id="time alone makes the version good"),
        pytest.param(
            snapshot(lineage=refused(Reason.BEHIND_A_CERTIFICATE)), (), id="it belongs to a vault certificate"
        ),
        pytest.param(replace(NOTHING_USES_IT, lineage=refused()), (), id="nothing uses the certificate"),
        pytest.param(
            snapshot(lineage=refused()), (Skip("import", Reason.NEWEST_REFUSED, ""),), id="a skip of an import tells it"
        ),
    ],
)
def test_refused_newest_version_is_no_finding_where_nobody_has_to_act(seen: Snapshot, skips: tuple[Skip, ...]) -> None:
    """A refusal that ends by itself, that an operator asked for, or that is told elsewhere, is no second finding."""
    assert notices.newest_refused(seen, skips) == ()


# ------------------------------------------------------------------------------------- thumbprints inside longer texts

FIVE = tuple(Thumbprint(f"{digit:X}" * 40) for digit in range(1, 6))
KEYS = tuple(f"NOTE_{digit}" for digit in range(1, 7))


def mentioning(**mentions: object) -> Snapshot:
    """Return an app whose settings mention thumbprints, of a certificate with five older versions."""
    older = (old_version(f"old-{place}", thumbprint) for place, thumbprint in enumerate(FIVE))
    return snapshot(lineage=lineage(version(), *older), settings=(replace(named(), **mentions),))  # type: ignore[arg-type]


def test_settings_that_mention_old_versions_are_told_in_order() -> None:
    """One skip names all settings and thumbprints in alphabetical order, so that each sweep tells the same."""
    (skip,) = notices.mentions(mentioning(mentions=dict.fromkeys(reversed(FIVE), frozenset(KEYS))))
    assert skip.subject == f"app settings {', '.join(KEYS)} of shop"
    assert f"contains {', '.join(FIVE)} inside" in skip.detail


def test_list_that_mentions_an_old_version_is_not_told_as_a_longer_text() -> None:
    """Certroll writes the lists of an app, so a thumbprint in a list is nothing that an operator has to change."""
    lists, text = frozenset({LOAD_LIST, ROOT_LIST}), frozenset({"NOTE"})
    assert notices.mentions(mentioning(mentions={FIVE[0]: lists})) == []
    (skip,) = notices.mentions(mentioning(mentions={FIVE[0]: lists | text}))
    assert skip.subject == "app settings NOTE of shop"


# ------------------------------------------------------------------------------------------------ what cannot be read


def test_blind_spots_of_one_name_are_told_apart() -> None:
    """Each blind spot has a finding of its own, which names its webspace, or else its subscription."""
    spots: tuple[BlindSpot, ...] = (
        blind_spot(WEST),
        blind_spot(NORTH),
        blind_spot(None),
        blind_spot(None, OTHER_SUBSCRIPTION),
    )
    found = fleet_notices.blind_spots("sweep", snapshot(blind_spots=spots).fleet)
    assert [finding.webspace for finding in found] == [WEST, NORTH, None, None]
    assert {finding.subject for finding in found} == {"site hidden"}
    assert [identity(finding.subject).removeprefix("site hidden ") for finding in found] == [
        f"{SUBSCRIPTION}/{WEST}",
        f"{SUBSCRIPTION}/{NORTH}",
        SUBSCRIPTION,
        OTHER_SUBSCRIPTION,
    ]


def test_tag_that_does_nothing_is_told_with_what_carries_it() -> None:
    """A finding about a tag of the wrong resource says if a site or a slot carries the tag."""
    tags = (("certroll-reissue", "0A:FF"),)
    sites = (site(tags=tags), site(slot="staging", tags=tags))
    found = fleet_notices.misspelled_tags("sweep", fleet_notices.tagged_sites(sites), NOW)
    assert [(finding.subject, finding.detail.partition("; ")[2]) for finding in found] == [
        ("tag certroll-reissue of site shop", "on a site it does nothing"),
        ("tag certroll-reissue of site shop/staging", "on a slot it does nothing"),
    ]


# ---------------------------------------------------------------------------------------------- what the plan compares


def test_what_is_in_use_is_compared_before_the_vaults_version_before() -> None:
    """A refusal compares with the certificate in use first, and only then with the vault's version before."""
    old = replace(old_version(), facts=version().facts)
    known = lineage(version(), old, old_version("v0", OLDER))
    found = in_use(snapshot(lineage=known), [OLDER, NEW, None])
    assert found == (InUse(), old.in_use)


@pytest.mark.parametrize(
    ("seen", "versions"),
    [
        pytest.param(snapshot(copies=()), ("v1",), id="a host name shows it"),
        pytest.param(snapshot(bindings=()), ("v1",), id="it is imported"),
        pytest.param(
            snapshot(lineage=lineage(version(), replace(old_version(), facts=version().facts))), (), id="it was read"
        ),
        pytest.param(
            snapshot(bindings=(binding(thumbprint=NEW),), copies=(copy(thumbprint=NEW),)), ("v1",), id="before"
        ),
        pytest.param(
            snapshot(lineage=lineage(version(), old_version(), old_version("v0", OLDER))), ("v1",), id="nothing uses it"
        ),
        pytest.param(
            snapshot(
                lineage=lineage(version(), old_version(), old_version("v0", OLDER), old_version("V-", NEWER)),
                settings=(named(OLDER, led=(VaultReference("K", REF, None, "v-"),)),),
            ),
            ("v1", "v0", "V-"),
            id="an app names it, or follows the vault to it",
        ),
        pytest.param(
            snapshot(
                lineage=lineage(version(), old_version(), old_version("v0", OLDER)),
                settings=(named(NEW, led=(VaultReference("K", replace(REF, name="other"), None, "v0"),)),),
            ),
            ("v1",),
            id="an app follows another vault object to a version of the same id",
        ),
        pytest.param(
            snapshot(lineage=lineage(replace(version("v3", NEWER), facts=None), version(), old_version(), current=1)),
            ("v1",),
            id="a newer version that is not in use",
        ),
        pytest.param(snapshot(lineage=replace(LINEAGE, current=None)), (), id="no version is good"),
    ],
)
def test_certroll_reads_each_older_version_in_use_and_no_other(seen: Snapshot, versions: tuple[str, ...]) -> None:
    """Certroll reads an older certificate only if something uses it and it was not read: each read costs a request."""
    assert tuple(found.version for found in uncompared(seen)) == versions
