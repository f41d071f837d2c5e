"""Make certificates with a defect, signed by run-time keys, because no library writes a malformed certificate."""

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.chains import Key, key

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID = 1, 2, 3, 4, 5, 6
UTF8, PRINTABLE, T61, IA5, UTC, GENERAL, VISIBLE, BMP = 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A, 0x1E
NAMES, CONSTRAINTS, POLICIES, USAGES = "2.5.29.17", "2.5.29.19", "2.5.29.32", "2.5.29.37"
OWN_KEY, ISSUERS_KEY = "2.5.29.14", "2.5.29.35"
AIA, UNKNOWN = "1.3.6.1.5.5.7.1.1", "1.2.3.4.5.6.7.1"
SHA256_RSA, SHA256_EC = "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return one element of DER."""
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes(1 if len(content) < 256 else 2)
    return bytes([tag, 0x80 | len(length)]) + length + content


def seq(*parts: bytes) -> bytes:
    """Return a sequence of DER."""
    return tlv(0x30, *parts)


def oid(dotted: str) -> bytes:
    """Return an object identifier in DER."""
    first, second, *rest = map(int, dotted.split("."))
    octets = [40 * first + second]
    for number in rest:
        part = [number & 127]
        while number := number >> 7:
            part.insert(0, number & 127 | 128)
        octets += part
    return tlv(OID, bytes(octets))


def name(text: str | bytes, tag: int = UTF8, kind: str = "2.5.4.3") -> bytes:
    """Return a name in DER with one attribute, which has this type of string."""
    encoding = {BMP: "utf-16-be", T61: "latin-1", PRINTABLE: "latin-1"}.get(tag, "utf-8")
    value = text.encode(encoding) if isinstance(text, str) else text
    return seq(tlv(0x31, seq(oid(kind), tlv(tag, value))))


def extension(kind: str, value: bytes, critical: bytes = b"") -> bytes:
    """Return an extension in DER; `critical` is a whole element."""
    return seq(oid(kind), critical, tlv(OCTETS, value))


def dns(*names: str | bytes) -> bytes:
    """Return an extension with these DNS names as alternative names."""
    texts = [text.encode() if isinstance(text, str) else text for text in names]
    return extension(NAMES, seq(*(tlv(0x82, text) for text in texts)))


def spki(own: Key) -> bytes:
    """Return the public key of a certificate in DER."""
    return own.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(own: Key) -> bytes:
    """Return an identifier of a key."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki(own))
    return digest.finalize()[:20]


@dataclass(frozen=True)
class Odd:
    """The parts of a certificate in DER, each of which a test may replace by a malformed part."""

    own: Key
    signer: Key
    subject: bytes = name("shop.contoso.com")
    issuer: bytes = name("Contoso Issuing CA")
    extensions: tuple[bytes, ...] = (dns("shop.contoso.com"),)
    serial: bytes = tlv(INTEGER, b"\x11")
    algorithm: bytes = b""
    validity: bytes = seq(tlv(UTC, b"270101000000Z"), tlv(UTC, b"280101000000Z"))
    public_key: bytes = b""
    version: bytes = tlv(0xA0, tlv(INTEGER, b"\x02"))

    def der(self) -> bytes:
        """Return the certificate in DER, signed by the signer's key."""
        algorithm = self.algorithm or _algorithm(self.signer)
        parts = (self.version, self.serial, algorithm, self.issuer, self.validity, self.subject)
        held = tlv(0xA3, seq(*self.extensions)) if self.extensions else b""
        signed = seq(*parts, self.public_key or spki(self.own), held)
        return seq(signed, algorithm, tlv(BITS, b"\x00", _signature(self.signer, signed)))


def _algorithm(signer: Key) -> bytes:
    return seq(oid(SHA256_RSA), tlv(NULL)) if isinstance(signer, rsa.RSAPrivateKey) else seq(oid(SHA256_EC))


def _signature(signer: Key, signed: bytes) -> bytes:
    if isinstance(signer, rsa.RSAPrivateKey):
        return signer.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return signer.sign(signed, ec.ECDSA(hashes.SHA256()))


PLAIN = Odd(key("RSA", "odd leaf"), key("EC", "odd issuer"))
"""A certificate without a defect."""


def with_extension(kind: str, value: bytes, critical: bytes = b"") -> Odd:
    """Return a certificate with host names and one more extension."""
    return replace(PLAIN, extensions=(*PLAIN.extensions, extension(kind, value, critical)))


def _qualified(text: bytes) -> bytes:
    """Return certificate policies whose user notice has this text."""
    notice = seq(seq(oid("1.3.6.1.5.5.7.2.2"), seq(text)))
    return seq(seq(oid("2.23.140.1.2.1"), notice))


NEEDLESS: dict[str, Odd] = {
    "cA FALSE written out": with_extension(CONSTRAINTS, seq(tlv(BOOLEAN, b"\x00"))),
    "critical FALSE written out": with_extension(CONSTRAINTS, seq(), tlv(BOOLEAN, b"\x00")),
    "critical TRUE as 1": with_extension(CONSTRAINTS, seq(), tlv(BOOLEAN, b"\x01")),
    "pathLen without cA": with_extension(CONSTRAINTS, seq(tlv(INTEGER, b"\x00")), tlv(BOOLEAN, b"\xff")),
    "explicitText that is no UTF-8": with_extension(POLICIES, _qualified(tlv(UTF8, b"\xe4\xff"))),
    "explicitText beyond ASCII": with_extension(POLICIES, _qualified(tlv(VISIBLE, b"\xe4\xff"))),
    "AIA with an odd address": with_extension(AIA, seq(seq(oid("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://\xff")))),
    "AIA that is no DER": with_extension(AIA, b"\x04\x01"),
    "Latin-1 in the subject's T61String": replace(PLAIN, subject=name("K\xf6ln", T61)),
    "no UTF-8 in the subject": replace(PLAIN, subject=name(b"\xff\xfe")),
    "beyond PrintableString in the subject": replace(PLAIN, subject=name("a@b\xff", PRINTABLE)),
    "half a character in the subject's BMPString": replace(PLAIN, subject=name(b"\x00C\x00", BMP)),
    "two attributes in the wrong order": replace(
        PLAIN,
        subject=seq(tlv(0x31, *(seq(oid("2.5.4.3"), tlv(UTF8, text)) for text in (b"z", b"a")))),
    ),
    "an unknown extension twice": replace(
        PLAIN, extensions=(*PLAIN.extensions, *(2 * (extension(UNKNOWN, tlv(NULL)),)))
    ),
    "an unknown critical extension": with_extension(UNKNOWN, tlv(NULL), tlv(BOOLEAN, b"\xff")),
    "a negative serial number": replace(PLAIN, serial=tlv(INTEGER, b"\x91")),
    "serial number 0": replace(PLAIN, serial=tlv(INTEGER, b"\x00")),
    "a serial number with a needless zero": replace(PLAIN, serial=tlv(INTEGER, b"\x00\x11")),
    "GeneralizedTime with a fraction": replace(
        PLAIN, validity=seq(tlv(GENERAL, b"20270101000000.5Z"), tlv(UTC, b"280101000000Z"))
    ),
    "UTCTime without seconds": replace(PLAIN, validity=seq(tlv(UTC, b"2701010000Z"), tlv(UTC, b"2801010000Z"))),
    "UTCTime of another time zone": replace(
        PLAIN, validity=seq(tlv(UTC, b"270101020000+0200"), tlv(UTC, b"271231200000-0400"))
    ),
    "an alternative name of X.400": replace(
        PLAIN, extensions=(extension(NAMES, seq(tlv(0xA3), tlv(0x82, b"shop.contoso.com"))),)
    ),
    "an address of five octets": replace(
        PLAIN, extensions=(extension(NAMES, seq(tlv(0x87, b"12345"), tlv(0x82, b"shop.contoso.com"))),)
    ),
    "a version that does not exist": replace(PLAIN, version=tlv(0xA0, tlv(INTEGER, b"\x07"))),
}
"""Certificates with a defect that no decision of Certroll depends on."""
