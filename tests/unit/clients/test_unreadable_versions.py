"""An unreadable entry in the list of an object's versions hides no other version, and is named."""

import base64
import json
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import Conflict, Rejected
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.planning.notices import unreadable_versions
from tests.broken_answers import KEY_VAULT, Answer, answering
from tests.build import NOW
from tests.chains import certificate, key, thumbprint
from tests.client_calls import ports

NEWEST, OLDER, ODDEST = "a" * 32, "b" * 32, "c" * 32
KEY = key("EC", "leaf")
LEAVES = {version: certificate("leaf", KEY, "leaf", KEY) for version in (NEWEST, OLDER, ODDEST)}
SHOP = VaultCertificateRef.parse("kv-shop", "certificate", "shop")
PLAIN = VaultCertificateRef.parse("kv-shop", "secret", "shop")


def entry(version: str, kind: str = "certificates", **changes: object) -> dict[str, Any]:
    """Return an entry of a list of versions; the newest version was made last."""
    made = 1_790_000_000 + (100 if version == NEWEST else 0)
    fingerprint = base64.urlsafe_b64encode(bytes.fromhex(thumbprint(LEAVES[version]))).decode().rstrip("=")
    return {
        "id": f"{KEY_VAULT}/{kind}/shop/{version}",
        "x5t": fingerprint,
        "attributes": {"enabled": True, "created": made, "nbf": made, "exp": made + 10_000_000},
        "contentType": "application/x-pkcs12",
        **changes,
    }


def read(ref: VaultCertificateRef, entries: list[object], newest: str = NEWEST) -> Lineage:
    """Return the vault object with the given list of versions, as Certroll reads it."""

    def answer(request: requests.PreparedRequest) -> Answer:
        kind = "secrets" if ref is PLAIN else "certificates"
        path = str(request.url)
        der = LEAVES[newest].public_bytes(Encoding.DER)
        held: dict[str, Any] = {**entry(newest, kind), "cer": base64.b64encode(der).decode()}
        if ref is PLAIN:
            held["value"] = base64.b64encode(b"no PFX").decode()
        body = {"value": entries} if "/versions" in path else held
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()

    with answering(answer):
        return ports().vault.lineage(ref, NOW)


ODD: dict[str, object] = {
    "null": None,
    "a number": 5,
    "no attributes": entry(ODDEST, attributes=None),
    "a text for a date": entry(ODDEST, attributes={"exp": "never"}),
    "a date beyond Python": entry(ODDEST, attributes={"exp": 10**14}),
    "a thumbprint that is none": entry(ODDEST, x5t="AAAA"),
    "a list for tags": entry(ODDEST, tags=["x"]),
}


@pytest.mark.parametrize("odd", ODD)
def test_unreadable_version_hides_no_other_version(odd: str) -> None:
    """If one version's entry makes no sense, Certroll uses the newest version, and tells which entry is unreadable."""
    seen = read(SHOP, [ODD[odd], entry(OLDER), entry(NEWEST)])
    assert [version.version for version in seen.versions] == [NEWEST, OLDER]
    (finding,) = unreadable_versions(seen, NOW)
    assert finding.reason is Reason.BLIND_SPOT
    assert (ODDEST in finding.subject) is isinstance(ODD[odd], dict)


def test_newest_version_is_read_in_spite_of_its_entry() -> None:
    """If the newest version's entry makes no sense, no older version counts as the newest in its place."""
    seen = read(SHOP, [entry(NEWEST, attributes={"exp": "never"}), entry(OLDER)])
    assert [version.version for version in seen.versions] == [NEWEST, OLDER]
    assert seen.versions[0].thumbprint == thumbprint(LEAVES[NEWEST])
    assert len(seen.unreadable) == 1


def test_new_version_during_the_read_is_read_again() -> None:
    """A version that came during the read makes Certroll read the certificate again."""
    with pytest.raises(Conflict):
        read(SHOP, [entry(OLDER)])


def test_secret_whose_newest_version_is_hidden_takes_no_older_one() -> None:
    """If the unreadable entry is the newest version of a secret, Certroll takes no older version in its place."""
    with pytest.raises(Rejected, match=ODDEST) as hidden:
        read(PLAIN, [entry(ODDEST, "secrets", attributes={"created": "x"}), entry(OLDER, "secrets")], newest=ODDEST)
    assert hidden.value.reason is Reason.ANSWER_UNREADABLE


def test_secret_with_an_unreadable_older_version_goes_on() -> None:
    """If the vault names a readable version of a secret as the newest, an unreadable entry hides no other version."""
    entries = [entry(ODDEST, "secrets", attributes={"created": "x"}), entry(NEWEST, "secrets"), entry(OLDER, "secrets")]
    seen = read(PLAIN, entries)
    assert seen.refusal is not None
    assert seen.refusal.reason is Reason.SECRET_UNREADABLE
    assert len(seen.unreadable) == 1
