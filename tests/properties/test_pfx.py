"""Test that a PFX from a vault's secret has the whole chain in order, and that other tools can read the PFX."""

import base64
import subprocess
from dataclasses import dataclass, field, replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.vault.pfx import build_pfx
from shared.clients.vault.x509_names import shown
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import PEM, PKCS12
from shared.domain.certificates.version import Bundle, KeyFound
from tests.build import bundled
from tests.chains import OPENSSL, Issued, Key, issued, thumbprint
from tests.properties.promises import times

PASSWORD = "Pa-ss_word"  # noqa: S105 - of keys that are made for this test
NOISE = ("", "\n", "Bag Attributes\n    localKeyID: 01 00 00 00\nsubject=CN = shop\n")
MARKS = {
    PfxEncryption.TRIPLE_DES: ("MAC: sha1,", "pbeWithSHA1And3-KeyTripleDES-CBC"),
    PfxEncryption.AES256: ("MAC: sha256,", "PBES2, PBKDF2, AES-256-CBC"),
}


@dataclass(frozen=True)
class Secret:
    """A secret's value in a vault, with the certificate chain that the test expects; `repr` shows no key."""

    issued: Issued = field(repr=False)
    value: str = field(repr=False)
    content_type: str
    chain: tuple[x509.Certificate, ...]

    @property
    def report(self) -> Bundle:
        """The report that Certroll should give about the secret's chain and about a missing certificate above it."""
        last = (self.issued.leaf, *self.chain)[-1]
        missing = None if last.issuer == last.subject else shown(last.issuer.public_bytes())
        return bundled(
            KeyFound.MATCHING,
            tuple(shown(certificate.subject.public_bytes()) for certificate in self.chain),
            missing,
            ordered=True,
        )

    def built(self, encryption: PfxEncryption) -> Pfx:
        """Return the PFX that Certroll builds from the vault's secret."""
        return build_pfx(self.value, self.content_type, thumbprint(self.issued.leaf), encryption, PASSWORD)


# Most secrets have EC keys, because the check of an RSA key takes some 12 ms each time that a test loads it.
kinds, depths = st.sampled_from(("EC", "EC", "EC", "RSA")), st.integers(0, 2)


@st.composite
def secrets(draw: st.DrawFn) -> Secret:
    """Return a secret with its certificates in any order; some are repeated, and some are unrelated to the key."""
    chain = issued(draw(kinds), draw(depths))
    roots = draw(st.sampled_from([(), (chain.root,), (chain.root, chain.older_root), (chain.older_root,)]))
    wanted = (*chain.intermediates, *roots[:1])
    there = (chain.leaf, *chain.intermediates, *roots)
    extras = draw(st.lists(st.sampled_from((*there, *chain.strangers)), max_size=6))
    certificates = draw(st.permutations((*there, *extras)))
    if draw(st.booleans()):
        return Secret(chain, _as_pfx(chain, certificates, first=draw(st.booleans())), PKCS12, wanted)
    return Secret(chain, _as_pem(draw, chain.key, certificates), PEM, wanted)


def _as_pfx(chain: Issued, certificates: list[x509.Certificate], *, first: bool) -> str:
    """Return a PFX that names the leaf as the key's certificate, or has the leaf among the other certificates."""
    leaf = chain.leaf if first else None
    packed = pkcs12.serialize_key_and_certificates(None, chain.key, leaf, certificates, NoEncryption())
    return base64.b64encode(packed).decode()


def _as_pem(draw: st.DrawFn, key: Key, certificates: list[x509.Certificate]) -> str:
    form = draw(st.sampled_from([PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL]))
    blocks = [certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates]
    blocks.insert(draw(st.integers(0, len(blocks))), key.private_bytes(Encoding.PEM, form, NoEncryption()).decode())
    text = "".join(draw(st.sampled_from(NOISE)) + block for block in blocks)
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def _same(key: object, other: Key) -> bool:
    """Return True if both keys are equal; a failing assertion shows neither key."""
    return isinstance(key, type(other)) and key.private_numbers() == other.private_numbers()


@times(0.3, soak=1)
@given(secrets(), st.sampled_from(PfxEncryption))
def test_key_leaf_and_chain_come_back(secret: Secret, encryption: PfxEncryption) -> None:
    """The PFX has the key, its leaf and the chain above the leaf, whatever else the secret has in whatever order."""
    built = secret.built(encryption)
    found = pkcs12.load_pkcs12(built.blob, PASSWORD.encode())
    assert _same(found.key, secret.issued.key)
    assert found.cert is not None
    assert found.cert.certificate == secret.issued.leaf
    assert tuple(additional.certificate for additional in found.additional_certs) == secret.chain
    assert built.bundle in {replace(secret.report, ordered=ordered) for ordered in (True, False)}


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl on this machine")
@times(1 / 20)
@given(secrets(), st.sampled_from(PfxEncryption))
def test_openssl_reads_the_same(secret: Secret, encryption: PfxEncryption) -> None:
    """OpenSSL reads the same key and certificates from the PFX, with the requested encryption."""
    ran = subprocess.run(  # noqa: S603
        [str(OPENSSL), "pkcs12", "-legacy", "-info", "-nodes", "-passin", "env:PFX_PASSWORD"],
        input=secret.built(encryption).blob,
        capture_output=True,
        env={"PFX_PASSWORD": PASSWORD},
        check=True,
    )
    mac, scheme = MARKS[encryption]
    told = ran.stderr.decode()
    assert (mac in told, told.count(scheme), told.count("Iteration 2048")) == (True, 2, 3)
    assert _same(load_pem_private_key(ran.stdout, None), secret.issued.key)
    assert tuple(x509.load_pem_x509_certificates(ran.stdout)) == (secret.issued.leaf, *secret.chain)
