"""Read the fields of an X.509 certificate, each by itself (RFC 5280, 4.1).

A malformed field makes only that field unreadable, as with OpenSSL. Certroll decides by few fields of a certificate,
and each decision reads its own field.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from shared.clients.vault.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    Element,
    content_of,
    dotted,
    first,
    inside,
    only,
)
from shared.clients.vault.x509_names import Meaning, meaning, shown
from shared.domain.names import Thumbprint

LARGEST = 128 * 1024
"""The largest certificate that Certroll parses, in bytes; a certificate with 1,000 names has about 40,000 bytes."""
KEY_IDENTIFIER, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.17", "2.5.29.19"
POLICIES, AUTHORITY_KEY_IDENTIFIER, EXTENDED_KEY_USAGE = "2.5.29.32", "2.5.29.35", "2.5.29.37"
_VERSION, _EXTENSIONS = 0xA0, 0xA3
_DNS_NAME, _KEY_ID = 0x82, 0x80
_FIELDS = 6
"""The fields that every certificate has: serial number, algorithm, issuer, validity, subject, and public key."""
_PIVOT = 50
"""A year of two digits from 50 on belongs to the 20th century (RFC 5280, 4.1.2.5.1)."""
_YEAR_DIGITS = {UTC_TIME: 2, GENERALIZED_TIME: 4}
_TIME = re.compile(
    r"(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)?(?P<second>\d\d)?(?:[.,]\d+)?"
    r"(?:Z|(?P<offset>[+-]\d{4}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate whose fields are read when somebody asks for them."""

    der: bytes
    tbs: bytes = field(repr=False, compare=False)
    """The part that the issuer has signed, in DER."""
    algorithm: Element = field(repr=False, compare=False)
    """The algorithm of the issuer's signature."""
    signature: bytes = field(repr=False, compare=False)
    serial: bytes = field(repr=False, compare=False)
    """The content of the serial number."""
    issuer: bytes = field(repr=False, compare=False)
    """The issuer's name in DER."""
    validity: Element = field(repr=False, compare=False)
    subject: bytes = field(repr=False, compare=False)
    """The subject's name in DER."""
    public_key: bytes = field(repr=False, compare=False)
    """The public key with its algorithm (SubjectPublicKeyInfo) in DER."""
    extensions: bytes = field(repr=False, compare=False)
    """The list of extensions in DER, empty without any."""

    @cached_property
    def thumbprint(self) -> Thumbprint:
        """The thumbprint of the certificate."""
        return thumbprint_of(self.der)

    @cached_property
    def issuer_meaning(self) -> Meaning:
        """The issuer's name in a form in which names with the same meaning are equal."""
        return meaning(self.issuer)

    @cached_property
    def subject_meaning(self) -> Meaning:
        """The subject's name in a form in which names with the same meaning are equal."""
        return meaning(self.subject)

    @property
    def title(self) -> str:
        """The subject's name for operators."""
        return shown(self.subject)

    @cached_property
    def begins(self) -> datetime:
        """When the certificate becomes valid. Raises ValueError if the date is unreadable."""
        begin, _ = inside(self.validity, SEQUENCE)
        return _time(begin)

    @cached_property
    def ends(self) -> datetime:
        """When the certificate expires. Raises ValueError if the date is unreadable."""
        _, end = inside(self.validity, SEQUENCE)
        return _time(end)

    @property
    def key_algorithm(self) -> tuple[str, Element | None]:
        """The object identifier of the public key's algorithm, with the algorithm's parameters.

        Raises ValueError if the algorithm is unreadable.
        """
        algorithm, _ = inside(only(self.public_key, SEQUENCE), SEQUENCE)
        kind, *parameters = inside(algorithm, SEQUENCE)
        return dotted(kind), parameters[0] if parameters else None

    @property
    def is_authority(self) -> bool:
        """True if the basic constraints say that the certificate may sign other certificates (RFC 5280, 4.2.1.9).

        A certificate without basic constraints does not belong to an authority. Raises ValueError if the certificate's
        basic constraints are unreadable.
        """
        value = self.extension(BASIC_CONSTRAINTS)
        first = inside(only(value, SEQUENCE), SEQUENCE)[:1] if value is not None else ()
        return any(part.tag == BOOLEAN and any(part.content) for part in first)

    @property
    def dns_names(self) -> list[str] | None:
        """The DNS names among the alternative names, None if the certificate has no alternative names.

        Other kinds of alternative names may be malformed. A DNS name beyond ASCII, which no client matches (RFC 5280,
        7.2), keeps U+FFFD in place of each octet. Raises ValueError if the alternative names are unreadable.
        """
        value = self.extension(ALTERNATIVE_NAMES)
        if value is None:
            return None
        names = inside(only(value, SEQUENCE), SEQUENCE)
        return [name.content.decode("ascii", errors="replace") for name in names if name.tag == _DNS_NAME]

    @property
    def usages(self) -> frozenset[str] | None:
        """The extended key usages, None for a certificate without that extension (RFC 5280, 4.2.1.12).

        Raises ValueError if the extended key usages are unreadable.
        """
        value = self.extension(EXTENDED_KEY_USAGE)
        return None if value is None else frozenset(map(dotted, inside(only(value, SEQUENCE), SEQUENCE)))

    @property
    def policies(self) -> frozenset[str]:
        """The object identifiers of the certificate's policies, without their qualifiers.

        Raises ValueError if the policies are unreadable.
        """
        value = self.extension(POLICIES)
        policies = inside(only(value, SEQUENCE), SEQUENCE) if value is not None else ()
        return frozenset(dotted(first(content_of(policy, SEQUENCE))) for policy in policies)

    @cached_property
    def key_identifier(self) -> bytes | None:
        """The identifier of the certificate's own key, None if it is missing or unreadable."""
        try:
            value = self.extension(KEY_IDENTIFIER)
            return None if value is None else only(value, OCTET_STRING).content
        except ValueError:
            return None

    @cached_property
    def authority_key_identifier(self) -> bytes | None:
        """The identifier of the issuer's key, None if it is missing or unreadable."""
        try:
            value = self.extension(AUTHORITY_KEY_IDENTIFIER)
            parts = inside(only(value, SEQUENCE), SEQUENCE) if value is not None else ()
        except ValueError:
            return None
        return next((part.content for part in parts if part.tag == _KEY_ID), None)

    def extension(self, kind: str) -> bytes | None:
        """Return the value of an extension, or None if the certificate lacks the extension.

        Raise ValueError if the extension is unreadable. Raise ValueError if the certificate has the extension twice,
        because readers choose differently between two values (RFC 5280, 4.2 forbids two).
        """
        kinds = [_kind(extension) for extension in self._extensions]
        found = [extension for extension, its in zip(self._extensions, kinds, strict=True) if its == kind]
        if len(found) > 1 or (not found and None in kinds):
            raise ValueError("an extension stands in the certificate twice, or cannot be told from another")
        if not found:
            return None
        *_, value = inside(found[0], SEQUENCE)
        return content_of(value, OCTET_STRING)

    @cached_property
    def _extensions(self) -> tuple[Element, ...]:
        return inside(only(self.extensions, SEQUENCE), SEQUENCE) if self.extensions else ()


def _kind(extension: Element) -> str | None:
    """Return the object identifier of an extension, or None if it is unreadable, so that it may be any."""
    try:
        return dotted(first(content_of(extension, SEQUENCE)))
    except ValueError:
        return None


def parse(der: bytes) -> Certificate:
    """Return the certificate in DER, split into its fields. Raise ValueError if `der` has no such fields."""
    if len(der) > LARGEST:
        raise ValueError(f"a certificate of {len(der)} bytes, more than {LARGEST}")
    try:
        return _split(der)
    except ValueError as error:
        raise ValueError(f"the certificate cannot be read: {error}") from error


def _split(der: bytes) -> Certificate:
    tbs, algorithm, signature = inside(only(der, SEQUENCE), SEQUENCE)
    parts = [part for part in inside(tbs, SEQUENCE) if part.tag != _VERSION]
    if len(parts) < _FIELDS:
        raise ValueError("it lacks a field")
    serial, _, issuer, validity, subject, key = parts[:_FIELDS]
    held = next((part for part in parts[_FIELDS:] if part.tag == _EXTENSIONS), None)
    return Certificate(
        der=der,
        tbs=tbs.raw,
        algorithm=algorithm,
        signature=content_of(signature, BIT_STRING)[1:],
        serial=content_of(serial, INTEGER),
        issuer=issuer.raw,
        validity=validity,
        subject=subject.raw,
        public_key=key.raw,
        extensions=held.content if held else b"",
    )


def thumbprint_of(der: bytes) -> Thumbprint:
    """Return the thumbprint by which Azure names a certificate: its SHA-1 in upper-case hex."""
    return Thumbprint(hashlib.sha1(der, usedforsecurity=False).hexdigest().upper())


def _time(element: Element) -> datetime:
    """Return a date of a certificate, also in a form that RFC 5280 forbids, such as without seconds."""
    text, digits = element.content.decode("latin-1"), _YEAR_DIGITS.get(element.tag, 0)
    found = _TIME.fullmatch(text[digits:])
    if not digits or not found:
        raise ValueError("a date cannot be read")
    year = int(text[:digits])
    if element.tag == UTC_TIME:
        year += 1900 if year >= _PIVOT else 2000
    month, day, hour, minute, second = (int(found[name] or 0) for name in ("month", "day", "hour", "minute", "second"))
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _offset(found["offset"])
    except OverflowError as error:
        raise ValueError("a date is out of range") from error


def _offset(text: str | None) -> timedelta:
    if text is None:
        return timedelta(0)
    span = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return -span if text[0] == "-" else span
