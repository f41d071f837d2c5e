"""Certroll decides which version of a vault certificate is current and which thumbprints are stale."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.certificates.lineage import MOST_JUDGED, Lineage, judge, newest_first, refuse_version
from shared.domain.certificates.version import CertificateFacts, CertificateVersion
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.tags import OPT_OUT, PROBE, Tags, lineage_tags, opted_out
from tests.build import DAY, FOREIGN, NEW, NEWER, NOW, OFF, OLD, OLDER, facts, lineage, old_version, version

V4, V3 = version("v4", NEWER), version("v3", NEW)
V2, V1 = old_version("v2", OLD), old_version("v1", OLDER)
SELF_SIGNED = facts(self_signed=True)


@pytest.mark.parametrize(
    ("seen", "thumbprint", "stale"),
    [
        pytest.param(lineage(V3, V2), OLD, True, id="the version before is stale"),
        pytest.param(lineage(V3, V2, V1), OLDER, True, id="one long ago is stale"),
        pytest.param(lineage(V3, V2, V1), OLD, True, id="one of several old ones is stale"),
        pytest.param(lineage(V3, V2), NEW, False, id="the current one is not"),
        pytest.param(lineage(V3, V2), FOREIGN, False, id="a stranger is not"),
        pytest.param(lineage(V3, V2), None, False, id="a hidden thumbprint is not"),
        pytest.param(lineage(V4, V3, V2, current=1), NEWER, False, id="a newer one that was refused is not"),
        pytest.param(lineage(V4, V3, V2, current=1), OLD, True, id="an older one is, below a refused newer one"),
        pytest.param(lineage(V4, V3, V2, current=None), OLD, False, id="nothing is without a current version"),
        pytest.param(
            lineage(V3, version("again", NEW), V2), NEW, False, id="the current one is not, though an older has it too"
        ),
        pytest.param(
            lineage(version("again", OLD), V3, V2, current=1), OLD, False, id="a newer one is not, though older has it"
        ),
        pytest.param(lineage(V3, V2, replace(V2, version="v1")), OLD, True, id="two old versions of one thumbprint"),
    ],
)
def test_stale_is_what_is_older_and_nothing_else(seen: Lineage, thumbprint: Thumbprint | None, *, stale: bool) -> None:
    """A version's thumbprint is stale only if every version with that thumbprint is older than the current version."""
    assert seen.is_stale(thumbprint) is stale


def test_current_is_known_by_its_thumbprint() -> None:
    """Of a vault certificate's thumbprints, Certroll counts only the current version's thumbprint as current."""
    seen = lineage(V4, V3, V2, current=1)
    assert [t for t in (NEWER, NEW, OLD, None) if seen.is_current(t)] == [NEW]
    assert not lineage(V3, current=None).is_current(None)


def test_version_of_a_shared_thumbprint_is_the_newest() -> None:
    """If two versions of a vault certificate share a thumbprint, Certroll finds the newer version by the thumbprint."""
    again = replace(V2, version="again")
    seen = lineage(V3, again, V2)
    assert seen.version_of(OLD) == again
    assert seen.version_of(FOREIGN) is None


@pytest.mark.parametrize(
    ("versions", "latest", "order"),
    [
        pytest.param((V1, V3), "v3", ["v3", "v1"], id="by the moment of creation"),
        pytest.param((V3, V1), "v3", ["v3", "v1"], id="whatever the order they are listed in"),
        pytest.param((version("a"), version("b")), "a", ["a", "b"], id="the vault's latest wins within one second"),
        pytest.param((version("a"), version("b")), "b", ["b", "a"], id="the vault's latest wins, the other way round"),
        pytest.param((V3, V1), "v1", ["v1", "v3"], id="the vault's latest wins even over a later creation"),
        pytest.param(
            (version("x"), version("a", created=NOW - DAY, not_before=NOW), version("b", not_before=NOW - DAY)),
            "x",
            ["x", "b", "a"],
            id="by the moment of creation, whatever the start of validity",
        ),
        pytest.param((version("x"), version("a"), version("b")), "x", ["x", "b", "a"], id="by name at the very last"),
        pytest.param((version("x"), version("b"), version("a")), "x", ["x", "b", "a"], id="by name, listed otherwise"),
        pytest.param(
            (version("x"), version("a", not_before=NOW - 2 * DAY), version("b", not_before=NOW - 3 * DAY)),
            "x",
            ["x", "a", "b"],
            id="then by the start of validity",
        ),
    ],
)
def test_versions_are_ordered_newest_first(
    versions: tuple[CertificateVersion, ...], latest: str, order: list[str]
) -> None:
    """Certroll sorts the versions of a vault certificate by age, because Key Vault lists them in no order.

    Key Vault itself says which version of a certificate is the latest.
    """
    assert [v.version for v in newest_first(versions, latest)] == order


@pytest.mark.parametrize(
    ("by_version", "tags", "inherited"),
    [
        pytest.param((), (), False, id="no version, no tags"),
        pytest.param((OFF, ()), OFF, False, id="the newest version's own"),
        pytest.param(((), OFF), OFF, True, id="an older version's where the newest has none"),
        pytest.param(((("team", "web"),), OFF), OFF, True, id="an older version's where the newest has only others'"),
        pytest.param((((" Certroll ", "on"),), OFF), ((" Certroll ", "on"),), False, id="the newest's in any case"),
        pytest.param(((("certroll-probe", "/"),), OFF), (("certroll-probe", "/"),), False, id="any tag of ours counts"),
        pytest.param(((("team", "web"),), ()), (("team", "web"),), False, id="the newest's where none is ours"),
        pytest.param(((), (), OFF), OFF, True, id="over several versions without any"),
    ],
)
def test_opt_out_survives_a_renewal(by_version: tuple[Tags, ...], tags: Tags, *, inherited: bool) -> None:
    """A new version without Certroll tags inherits the tags of the newest earlier version that has Certroll tags."""
    assert lineage_tags(by_version) == (tags, inherited)


@pytest.mark.parametrize(
    ("tags", "off"),
    [
        pytest.param(OFF, True, id="as documented"),
        pytest.param(((" CertRoll ", " Off "),), True, id="in mixed case with blanks"),
        pytest.param((("certroll", "on"),), False, id="on"),
        pytest.param((("certroll-probe", "off"),), False, id="another tag that is off"),
        pytest.param((), False, id="no tag"),
    ],
)
def test_only_certroll_off_opts_out(tags: Tags, *, off: bool) -> None:
    """Only the tag `certroll` with the value `off`, in any letter case, excludes a vault certificate from Certroll."""
    assert opted_out(tags) is off


def test_tag_is_found_in_any_case() -> None:
    """Certroll finds a tag by its name in any letter case and strips blanks from its value."""
    assert PROBE.value_in(((" Certroll-Probe", " /ready "),)) == "/ready"
    assert OPT_OUT.value_in((("team", "web"),)) is None


@pytest.mark.parametrize(
    ("judged", "before"),
    [
        pytest.param(version(), None, id="an ordinary version"),
        pytest.param(version(not_before=NOW), None, id="valid from this very moment"),
        pytest.param(version(not_after=NOW + timedelta(seconds=1)), None, id="valid for one more second"),
        pytest.param(version(facts=SELF_SIGNED), SELF_SIGNED, id="self-signed as the one before"),
        pytest.param(version(facts=SELF_SIGNED), None, id="self-signed and the first"),
        pytest.param(version(), facts(), id="signed as the one before"),
        pytest.param(version(), SELF_SIGNED, id="no longer self-signed"),
        pytest.param(version(facts=None), facts(), id="not looked into"),
    ],
)
def test_good_version_passes(judged: CertificateVersion, before: CertificateFacts | None) -> None:
    """Certroll accepts a version of a vault certificate that just meets all requirements."""
    assert refuse_version(judged, replace(V2, facts=before), NOW) is None
    assert before is not None or refuse_version(judged, None, NOW) is None


@pytest.mark.parametrize(
    ("judged", "reason", "detail"),
    [
        pytest.param(version(enabled=False), Reason.VERSION_DISABLED, "it is disabled", id="disabled"),
        pytest.param(
            version(not_after=NOW), Reason.EXPIRED, "it expired at 2026-11-21 12:00 UTC", id="expired right now"
        ),
        pytest.param(
            version(not_before=NOW + DAY),
            Reason.NOT_YET_VALID,
            "it is valid from 2026-11-22 12:00 UTC",
            id="valid from tomorrow",
        ),
        pytest.param(
            version(facts=SELF_SIGNED),
            Reason.NEWLY_SELF_SIGNED,
            "it is self-signed and the version before it was not",
            id="self-signed where the one before was not",
        ),
        pytest.param(
            version(enabled=False, not_after=NOW - DAY),
            Reason.VERSION_DISABLED,
            "it is disabled",
            id="several things wrong: what people did on purpose comes first",
        ),
        pytest.param(
            version(not_before=NOW + DAY, facts=SELF_SIGNED),
            Reason.NEWLY_SELF_SIGNED,
            "it is self-signed and the version before it was not",
            id="what time does not mend comes before what it does",
        ),
    ],
)
def test_bad_version_is_refused(judged: CertificateVersion, reason: Reason, detail: str) -> None:
    """Certroll refuses a flawed version of a vault certificate with a separate reason and detail for each flaw."""
    assert refuse_version(judged, replace(V2, facts=facts()), NOW) == (reason, detail)


# ------------------------------------------------------------------------------------------------ the current version

V2_GOOD, V1_GOOD = (replace(old, facts=None) for old in (V2, V1))
NO_CLIENT = facts(client_auth=False)


def judged(
    *said: CertificateFacts, enabled: tuple[bool, ...] = (True, True, True)
) -> tuple[list[str], str | None, Reason | None, list[str]]:
    """Decide which of three versions of a vault certificate with these facts is current.

    Return the versions whose facts were read, the current version, and the reason for refusing the newest version. The
    fourth returned value lists the versions that keep their facts.
    """
    versions = tuple(replace(v, enabled=on) for v, on in zip((V3, V2_GOOD, V1_GOOD), enabled, strict=True))
    by_name = dict(zip(("v3", "v2", "v1"), said, strict=False))
    asked: list[str] = []

    def read(asked_for: CertificateVersion) -> CertificateFacts:
        asked.append(asked_for.version)
        return by_name[asked_for.version]

    seen, current, refusal = judge(tuple(replace(v, facts=None) for v in versions), read, NOW)
    kept = [found.version for found in seen if found.facts is not None]
    return asked, current and current.version, refusal and refusal.reason, kept


@pytest.mark.parametrize(
    ("said", "enabled", "asked", "current", "reason"),
    [
        pytest.param((facts(),), (True, True, True), ["v3"], "v3", None, id="a good one costs one look"),
        pytest.param((NO_CLIENT, facts()), (True, True, True), ["v3", "v2"], "v3", None, id="one to compare costs two"),
        pytest.param((NO_CLIENT,), (True, False, False), ["v3"], "v3", None, id="with nothing to compare it to, one"),
        pytest.param(
            (NO_CLIENT, facts(), facts()),
            (True, False, True),
            ["v3", "v1"],
            "v3",
            None,
            id="a disabled version is not compared",
        ),
        pytest.param(
            (SELF_SIGNED, facts()),
            (True, True, True),
            ["v3", "v2"],
            "v2",
            Reason.NEWLY_SELF_SIGNED,
            id="what was compared is not read again",
        ),
        pytest.param(
            (facts(signature_hash="sha1"), facts()),
            (True, True, True),
            ["v3", "v2"],
            "v2",
            Reason.WEAKER_SIGNATURE,
            id="a weaker signature",
        ),
        pytest.param(
            (facts(serial_octets=21), facts()),
            (True, True, True),
            ["v3", "v2"],
            "v2",
            Reason.SERIAL_TOO_LONG,
            id="a serial number of 21 octets",
        ),
        pytest.param(
            (facts(), facts()),
            (False, True, True),
            ["v2"],
            "v2",
            Reason.VERSION_DISABLED,
            id="a disabled one is not read",
        ),
    ],
)
def test_as_few_versions_as_possible_are_looked_into(
    said: tuple[CertificateFacts, ...],
    enabled: tuple[bool, bool, bool],
    asked: list[str],
    current: str | None,
    reason: Reason | None,
) -> None:
    """Certroll reads the facts of a version at most once.

    Certroll reads an older version of a vault certificate only for a comparison, or if it refuses all newer versions.

    Each read of a version's facts costs a request to Key Vault.
    """
    assert judged(*said, enabled=enabled) == (asked, current, reason, asked)


@pytest.mark.parametrize(
    ("seen", "before"),
    [
        pytest.param(lineage(V3, replace(V2, facts=NO_CLIENT), V1), NO_CLIENT, id="the one before"),
        pytest.param(
            lineage(V3, replace(V2, enabled=False, facts=SELF_SIGNED), replace(V1, facts=NO_CLIENT)),
            NO_CLIENT,
            id="not a disabled one",
        ),
        pytest.param(lineage(V4, V3, replace(V2, facts=NO_CLIENT), current=1), NO_CLIENT, id="below a refused one"),
        pytest.param(
            lineage(V3, V2, replace(V1, facts=NO_CLIENT)), None, id="not one further back, where it was not read"
        ),
        pytest.param(lineage(V3), None, id="none where there is none"),
        pytest.param(lineage(V4, replace(V3, facts=NO_CLIENT), current=None), None, id="none without a current one"),
    ],
)
def test_version_in_use_is_the_next_older_one(seen: Lineage, before: CertificateFacts | None) -> None:
    """Certroll compares the current version of a vault certificate with the next older version that is enabled."""
    assert (seen.before and seen.before.facts) == before


def test_older_version_that_cannot_be_read_holds_up_nothing() -> None:
    """Certroll accepts a new version even if Certroll cannot read the facts of the version before."""

    def read(older: CertificateVersion) -> CertificateFacts:
        if older.version == "v2":
            raise ValueError("version v2: not a certificate")
        return NO_CLIENT

    seen, current, refusal = judge((replace(V3, facts=None), V2_GOOD), read, NOW)
    assert (current and current.version, refusal) == ("v3", None)
    assert [found.facts is None for found in seen] == [False, True]


def test_so_many_versions_are_looked_into() -> None:
    """In its search for a good version of a vault certificate, Certroll judges only a limited number of versions."""
    bad = tuple(version(f"v{number}", enabled=False) for number in range(MOST_JUDGED))
    good = version("good")
    assert judge((*bad[1:], good), lambda _: facts(), NOW)[1] == replace(good, facts=facts())
    assert judge((*bad, good), lambda _: facts(), NOW)[1] is None


def test_newest_version_that_cannot_be_read_is_an_error() -> None:
    """If the newest version is unreadable, Certroll raises an error and does not use an older version."""

    def read(newest: CertificateVersion) -> CertificateFacts:
        raise ValueError(f"version {newest.version}: not a certificate")

    with pytest.raises(ValueError, match="version v3"):
        judge((replace(V3, facts=None), V2_GOOD), read, NOW)
