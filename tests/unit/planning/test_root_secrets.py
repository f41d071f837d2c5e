"""Test that Certroll reads a bare certificate from a secret only if the secret's tags mark it as a root."""

import base64
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from shared.clients.retrying import Retrying
from shared.clients.vault.secrets import SecretLineages, holds_certificate, may_hold_certificate
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import PEM, PKCS12
from shared.domain.errors import NotFound, Rejected
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.tags import Tags, is_root
from tests.build import DAY, NOW, ManualClock
from tests.chains import certificate, issued, key, thumbprint

REF = VaultCertificateRef.parse("kv-shop", "secret", "corp-root")
ROOT = issued("EC", 1).root
DER = ROOT.public_bytes(Encoding.DER)
IN_PEM = ROOT.public_bytes(Encoding.PEM).decode()
IN_BASE64 = base64.b64encode(DER).decode()
NEXT = certificate("next root", key("EC", "next root"), "next root", key("EC", "next root"))
NEXT_IN_BASE64 = base64.b64encode(NEXT.public_bytes(Encoding.DER)).decode()
ASKED = {"certroll-root-of": "ase"}


class Secret:
    """This fake vault has one secret of several versions, the newest last, and records which versions were read."""

    def __init__(self, *versions: dict[str, Any]) -> None:
        self.asked: list[str] = []
        self._versions = {f"v{number}": entry for number, entry in enumerate(versions)}

    def list_properties_of_secret_versions(self, name: str, **_: object) -> object:
        """Return the versions of the secret without the secret values, on one page."""
        assert name == REF.name
        page = [self._properties(version) for version in self._versions]
        return SimpleNamespace(by_page=lambda _: iter([page]))

    def get_secret(self, name: str, version: str) -> object:
        """Return one version of the fake vault's secret with its value."""
        assert name == REF.name
        self.asked.append(version)
        return SimpleNamespace(value=self._versions[version]["value"], properties=self._properties(version))

    def _properties(self, version: str) -> object:
        created: datetime = NOW - 9 * DAY + DAY * int(version[1:])
        given = {"content_type": None, "tags": None, "enabled": True, "managed": None, **self._versions[version]}
        return SimpleNamespace(version=version, created_on=created, **given)


def lineages(secret: Secret) -> SecretLineages:
    """Return Certroll's client for vault secrets, which reads from the given fake vault."""
    return SecretLineages(lambda _: cast("Any", secret), Retrying(ManualClock()))


def read(secret: Secret) -> Lineage:
    """Return the vault secret with its versions that Certroll reads from the fake vault."""
    return lineages(secret).lineage(REF, NOW)


@pytest.mark.parametrize(
    ("tags", "asked"),
    [
        pytest.param((), False, id="no tags"),
        pytest.param((("certroll-root-of", "ase"),), True, id="an environment's apps are to trust it"),
        pytest.param((("certroll-root-on", "shop"),), True, id="a site is to trust it"),
        pytest.param(((" CertRoll-Root-Of ", "ase"),), True, id="in any case, with blanks"),
        pytest.param((("certroll-root-of-2", "ase"),), True, id="a list that goes on"),
        pytest.param((("team", "web"), ("certroll-root-of", "")), True, id="a list that is empty yet"),
        pytest.param((("certroll-root-office", "x"),), False, id="another tag that begins alike"),
        pytest.param((("certroll-root-of-x", "x"),), False, id="no number"),
        pytest.param((("my-certroll-root-of", "x"),), False, id="another tag that ends alike"),
        pytest.param((("certroll-public-to", "certroll-root-of"),), False, id="another list"),
    ],
)
def test_tags_say_that_it_is_a_root(tags: Tags, *, asked: bool) -> None:
    """The tags of a secret mark a root only if one of them is `certroll-root-of` or `certroll-root-on`."""
    assert is_root(tags) is asked


@pytest.mark.parametrize(
    ("content_type", "value"),
    [
        pytest.param(None, IN_PEM, id="PEM without a content type"),
        pytest.param(PEM, IN_PEM, id="PEM that says so"),
        pytest.param("text/plain", IN_PEM, id="PEM that says something else"),
        pytest.param(None, IN_BASE64, id="DER in base64 without a content type"),
        pytest.param("application/pkix-cert", IN_BASE64, id="DER in base64 that says so"),
    ],
)
def test_root_is_read_in_every_form(content_type: str | None, value: str) -> None:
    """Certroll reads a root in every form in which operators store it in a secret, and returns its public part."""
    secret = Secret({"value": value, "content_type": content_type, "tags": ASKED})
    found = read(secret)
    assert found.refusal is None
    assert found.current is not None
    assert found.current.thumbprint == thumbprint(ROOT)
    assert found.tags == (("certroll-root-of", "ase"),)
    assert lineages(secret).public_part(REF, "v0") == DER


def test_root_in_pfx_is_still_a_pfx() -> None:
    """Certroll reads a secret with the content type of a PFX only as a PFX, whatever its tags say."""
    found = read(Secret({"value": IN_BASE64, "content_type": PKCS12, "tags": ASKED}))
    assert found.current is None
    assert found.refusal is not None
    assert (found.refusal.reason, "is not a PFX" in found.refusal.detail) == (Reason.SECRET_UNREADABLE, True)


@pytest.mark.parametrize(
    "tags", [pytest.param(None, id="no tags"), pytest.param({"certroll-public-to": "shop"}, id="another list")]
)
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/pkix-cert", "certificate", " Certificate "])
def test_secret_that_is_no_root_is_not_read(content_type: str | None, tags: dict[str, str] | None) -> None:
    """Without the tags of a root, Certroll reads no secret whose content type is not that of a certificate."""
    secret = Secret({"value": IN_PEM, "content_type": content_type, "tags": tags})
    found = read(secret)
    assert (found.versions, secret.asked) == ((), [])
    shown = repr((content_type or "").strip().lower())
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.detail) == (Reason.NOT_A_CERTIFICATE, f"its content type is {shown}")


def test_next_root_needs_no_tags_of_its_own() -> None:
    """If the previous version of a secret was a root, Certroll reads a new version without tags as a root, too."""
    found = read(Secret({"value": IN_PEM, "tags": ASKED}, {"value": NEXT_IN_BASE64}))
    assert [version.thumbprint for version in found.versions] == [thumbprint(NEXT), thumbprint(ROOT)]
    assert found.current == found.versions[0]
    assert found.tags_inherited


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Pa-ss_word!", id="a password"),
        pytest.param("", id="nothing"),
        pytest.param("UGEtc3Nfd29yZA==", id="a password in base64"),
        pytest.param("-----BEGIN CERTIFICATE-----\nUGEtc3Nfd29yZA==\n-----END CERTIFICATE-----", id="PEM of it"),
    ],
)
def test_hostile_root_is_refused_without_showing_it(value: str) -> None:
    """Certroll refuses a secret's value that is no certificate, and shows no part of the value.

    If Certroll refuses the value of a secret's newest version, it still knows the older version.
    """
    secret = Secret({"value": IN_PEM, "tags": ASKED}, {"value": value})
    found = read(secret)
    assert [version.thumbprint for version in found.versions] == [thumbprint(ROOT)]
    assert found.refusal is not None
    assert found.refusal.reason is Reason.SECRET_UNREADABLE
    assert found.refusal.detail.startswith("vault secret kv-shop/corp-root, version v1: its ")
    assert not [part for part in ("Pa-ss", "UGEt") if part in found.refusal.detail]
    with pytest.raises(Rejected, match="version v1: its ") as caught:
        lineages(secret).public_part(REF, "v1")
    assert caught.value.__cause__ is None


def test_root_that_is_gone_is_said_to_be() -> None:
    """If the vault no longer lists a secret's version, Certroll reports that the version is gone."""
    with pytest.raises(NotFound, match="version v7: the version no longer exists"):
        lineages(Secret({"value": IN_PEM, "tags": ASKED})).public_part(REF, "v7")


@pytest.mark.parametrize(
    ("content_type", "certain"),
    [(PKCS12, True), (" Application/X-PEM-File ", True), (None, False), ("certificate", False), ("text/plain", False)],
)
def test_listing_names_certificates_and_roots(content_type: str | None, *, certain: bool) -> None:
    """Certroll reads a listed secret if its content type names a certificate, or if its tags mark a root.

    Certroll does not read the secret of a vault certificate, because it reads the vault certificate itself.
    """

    def listed(tags: dict[str, str] | None, *, managed: bool = False) -> bool:
        entry = SimpleNamespace(content_type=content_type, tags=tags, managed=managed)
        return may_hold_certificate(cast("Any", entry))

    assert holds_certificate(content_type) is certain
    assert listed(None) is certain
    assert listed(ASKED)
    assert not listed(ASKED, managed=True)
