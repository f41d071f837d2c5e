"""Parse and normalise the names of Azure resources, so that other code can compare names as plain texts.

Azure ignores upper and lower case in resource ids, vault names and host names, and returns the same name in changing
case. Microsoft.Web returns the ids of Key Vaults in lower case.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType, Self
from urllib.parse import quote, unquote

from shared.domain import path_names as rules
from shared.domain.errors import CertrollError
from shared.domain.international_names import to_ascii, to_unicode
from shared.domain.letter_case import lower_case
from shared.domain.written import Written

Thumbprint = NewType("Thumbprint", str)
HostName = NewType("HostName", str)
VaultName = NewType("VaultName", str)

LONGEST_ID = 2_000
_VAULT_ID = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.keyvault/vaults/([^/]+)")
_WEB = r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.web"
_SITE = r"/sites/([^/]+)(?:/slots/([^/]+))?"
_ENVIRONMENT_ID = re.compile(rf"{_WEB}/hostingenvironments/([^/]+)")
_SITE_ID = re.compile(rf"{_WEB}{_SITE}")
_COPY_ID = re.compile(rf"{_WEB}(?:{_SITE})?/(certificates|publiccertificates)/([^/]+)")


class InvalidNameError(CertrollError, ValueError):
    """A text is not a valid name or id of the expected kind of Azure resource.

    The message of an InvalidNameError quotes the wrong text and names the expected form.
    """


def _folded(text: str) -> str:
    """Return the text in lower case. Raise InvalidNameError for a text that is too long for any id of Azure."""
    if len(text) > LONGEST_ID:
        raise InvalidNameError(f"{text[:60]!r} is not an id of Azure: it has {len(text):,} characters")
    return lower_case(text.strip())


def _named(rule: rules.NameRule, text: str) -> str:
    if not rule.pattern.fullmatch(text):
        raise InvalidNameError(f"{text[:120]!r} is not {rule.what}")
    return text


def _web(subscription: str, resource_group: str) -> str:
    """Return the beginning of the resource ids of the App Service resources in a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Web"


def parse_thumbprint(text: str) -> Thumbprint:
    """Return the SHA-1 thumbprint in upper-case hex. Raises InvalidNameError."""
    return Thumbprint(_named(rules.THUMBPRINT, text.strip()).upper())


def parse_host_name(text: str) -> HostName:
    """Return the host name in lower case and with A-labels, the form in which Certroll compares host names.

    The host name may begin with `*.` (a wildcard). Raises InvalidNameError.
    """
    try:
        ascii_name = to_ascii(text.strip()).rstrip(".")
    except ValueError as error:
        raise InvalidNameError(f"{text[:120]!r} is not a host name: {error}") from error
    return HostName(_named(rules.HOST_NAME, ascii_name))


def read_host_name(text: str) -> HostName:
    """Return the host name that Azure shows, with A-labels, or in lower case if no client can ask for it by TLS."""
    try:
        return parse_host_name(text)
    except InvalidNameError:
        return HostName(text.strip().lower())


def is_host_name(name: HostName) -> bool:
    """Return True if a client can ask for the host name by DNS and TLS."""
    return rules.HOST_NAME.pattern.fullmatch(name) is not None


def readable_host(name: HostName) -> str:
    """Return the host name as text for operators: an international name in Unicode, and then in ASCII.

    Characters that a screen does not show, or that turn the direction of writing, are escaped.
    """
    shown = to_unicode(name)
    printable = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in shown)
    return f"{printable} ({name})" if shown != name and is_host_name(name) else printable


def parse_vault_name(text: str) -> VaultName:
    """Return the lower-case vault name from a vault's name or resource id. Raises InvalidNameError."""
    lowered = _folded(text)
    as_id = _VAULT_ID.fullmatch(lowered)
    return VaultName(_named(rules.VAULT, as_id.group(1) if as_id else lowered))


def parse_subscription(text: str) -> str:
    """Return the subscription id in lower case. Raises InvalidNameError."""
    return _named(rules.SUBSCRIPTION, _folded(text))


class ObjectKind(StrEnum):
    """The kind of vault object that holds a certificate: a vault certificate, or a secret with a PFX."""

    CERTIFICATE = "certificate"
    SECRET = "secret"  # noqa: S105 - the word is not a password


@dataclass(frozen=True, slots=True, order=True)
class VaultCertificateRef:
    """The reference to a certificate object in a vault, which stands for all versions of the object."""

    vault: VaultName
    kind: ObjectKind = field(compare=False)
    """How Certroll reads the object. Two references with different kinds and the same vault and name are equal.

    A vault certificate owns the secret of the same name, so a vault cannot have another secret with the name of a
    certificate (Azure docs, "About Azure Key Vault certificates", composition). App Service does not show which kind of
    vault object it imported.
    """
    name: str

    @classmethod
    def parse(cls, vault: str, kind: str, name: str) -> Self:
        """Return the reference to a certificate or secret in a vault.

        Raise InvalidNameError, which quotes the wrong text.
        """
        try:
            parsed = ObjectKind(kind)
        except ValueError:
            known = ", ".join(ObjectKind)
            raise InvalidNameError(f"{kind[:40]!r} is not a kind of vault object; known: {known}") from None
        lowered = _folded(name)
        return cls(parse_vault_name(vault), parsed, _named(rules.VAULT_OBJECT, lowered))

    def __str__(self) -> str:
        return f"{self.vault}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Webspace:
    """A webspace is the group of App Service plans that share certificates.

    A site can bind only the certificates of the site's own webspace. The `webSpace` string that Azure returns is unique
    only within a subscription. Two subscriptions with a resource group of the same name in one region have webspaces of
    the same name.
    """

    subscription: str
    name: str

    @classmethod
    def parse(cls, subscription: str, name: str) -> Self:
        """Return the webspace with subscription and name in lower case. Raise InvalidNameError if the name is empty."""
        if not name.strip():
            raise InvalidNameError("an empty text is not a webspace")
        return cls(lower_case(subscription), lower_case(name.strip()))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SiteRef(Written):
    """The reference to one site or to one deployment slot of App Service."""

    subscription: str
    resource_group: str
    name: str
    slot: str | None = None
    written: str = field(default="", compare=False, repr=False)
    """The resource id in the letters in which Azure wrote it, empty if Azure did not show it."""

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the site or slot that a resource id names. Raises InvalidNameError."""
        match = _SITE_ID.fullmatch(_folded(resource_id))
        if match is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a site or slot")
        subscription, group, name, slot = match.groups()
        return cls(
            _named(rules.SUBSCRIPTION, subscription),
            _named(rules.RESOURCE_GROUP, group),
            _named(rules.SITE, name),
            None if slot is None else _named(rules.SLOT, slot),
            resource_id.strip(),
        )

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        site = f"{_web(self.subscription, self.resource_group)}/sites/{self.name}"
        return site if self.slot is None else f"{site}/slots/{self.slot}"

    def __lt__(self, other: "SiteRef") -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[str, ...]:
        return self.subscription, self.resource_group, self.name, self.slot or ""

    @property
    def production(self) -> "SiteRef":
        """The reference to the site of this slot, or to this site itself."""
        return SiteRef(self.subscription, self.resource_group, self.name)

    def __str__(self) -> str:
        return self.name if self.slot is None else f"{self.name}/{self.slot}"


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentRef(Written):
    """The reference to one App Service Environment."""

    subscription: str
    resource_group: str
    name: str
    written: str = field(default="", compare=False, repr=False)
    """The resource id in the letters in which Azure wrote it, empty if Azure did not show it."""

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the App Service Environment that a resource id names. Raises InvalidNameError."""
        match = _ENVIRONMENT_ID.fullmatch(_folded(resource_id))
        if match is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of an App Service Environment")
        subscription, group, name = match.groups()
        return cls(
            _named(rules.SUBSCRIPTION, subscription),
            _named(rules.RESOURCE_GROUP, group),
            _named(rules.ENVIRONMENT, name),
            resource_id.strip(),
        )

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        return f"{_web(self.subscription, self.resource_group)}/hostingEnvironments/{self.name}"

    def __str__(self) -> str:
        return f"{self.resource_group}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class RootRef:
    """The reference to one public certificate of an App Service Environment."""

    environment: EnvironmentRef
    name: str

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the environment's public certificate that a resource id names.

        Raises InvalidNameError.
        """
        environment, marker, name = _folded(resource_id).partition("/publiccertificates/")
        if not marker:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a root certificate")
        known = _named(rules.CERTIFICATE, lower_case(unquote(name)))
        return cls(EnvironmentRef.parse(resource_id.strip()[: len(environment)]), known)

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        return f"{self.environment.resource_id}/publicCertificates/{quote(self.name, safe='')}"

    def __str__(self) -> str:
        return f"{self.environment}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class CopyRef(Written):
    """The reference to one certificate resource in App Service.

    Most certificates in App Service belong to a webspace, which shares them among sites. A public certificate, and a
    certificate of a Flex Consumption app, belongs to a single site or slot.
    """

    subscription: str
    resource_group: str
    name: str
    site: str = ""
    """The site that owns the certificate, empty if the webspace shares the certificate."""
    slot: str = ""
    """The slot that owns the certificate, empty if a site owns the certificate or the webspace shares it."""
    public: bool = False
    """True for a public certificate, which has no private key."""
    written: str = field(default="", compare=False, repr=False)
    """The resource id in the letters in which Azure wrote it, empty if Azure did not show it."""

    @classmethod
    def of_site(cls, owner: SiteRef, name: str, *, public: bool) -> Self:
        """Return the reference to a certificate that one site or slot owns."""
        return cls(owner.subscription, owner.resource_group, name, owner.name, owner.slot or "", public)

    @property
    def owner(self) -> SiteRef | None:
        """The site or slot that owns the certificate, None if the certificate belongs to a webspace."""
        return SiteRef(self.subscription, self.resource_group, self.site, self.slot or None) if self.site else None

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the certificate in App Service that a resource id names. Raises InvalidNameError.

        Some clients upload certificates with `#` in the name, and resource ids contain this `#` plain or
        percent-encoded.
        """
        match = _COPY_ID.fullmatch(_folded(resource_id))
        if match is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a certificate")
        subscription, group, site, slot, kind, name = match.groups()
        _named(rules.SUBSCRIPTION, subscription)
        _named(rules.RESOURCE_GROUP, group)
        for rule, part in ((rules.SITE, site), (rules.SLOT, slot)):
            _named(rule, part or "x")
        known = _named(rules.CERTIFICATE, lower_case(unquote(name)))
        if (public := kind == "publiccertificates") and site is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a certificate")
        return cls(subscription, group, known, site or "", slot or "", public, resource_id.strip())

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        parent = self.owner.resource_id if self.owner else _web(self.subscription, self.resource_group)
        kind = "publicCertificates" if self.public else "certificates"
        return f"{parent}/{kind}/{quote(self.name, safe='')}"

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}" if self.owner else f"{self.resource_group}/{self.name}"


def covers(names: frozenset[HostName], host: HostName) -> bool:
    """Return True if a certificate with these host names covers the host name.

    A wildcard in a certificate stands for exactly one left-most label (RFC 6125, 6.4.3). App Service also allows a
    binding of a wildcard host name, which only the same wildcard in a certificate covers.
    """
    if host in names:
        return True
    _, dot, parent = host.partition(".")
    return bool(dot) and not host.startswith("*.") and HostName(f"*.{parent}") in names
