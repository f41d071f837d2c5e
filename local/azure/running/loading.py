"""The loading of certificates into the process of an app, and how the app finds a certificate there.

The app setting `WEBSITE_LOAD_CERTIFICATES` names thumbprints of private and public certificates, or `*` for all (Azure
docs, configure-ssl-certificate-in-code). On Windows, App Service puts the certificates that `WEBSITE_LOAD_CERTIFICATES`
names into a certificate store. On Linux and in Windows containers, App Service writes the loaded certificates to files
that are named after their thumbprints. A certificate that belongs to a Flex Consumption site has its own property
instead of the setting `WEBSITE_LOAD_CERTIFICATES` (az CLI 2.91).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from local.azure.vault.issued import ImportedCertificate
from local.azure.web.held_certificates import Certificate, PublicCertificate
from local.azure.web.load_list import EVERYTHING, load_list
from local.azure.web.resources import CURRENT_USER, Site, covers

LINUX_FILES = ("/var/ssl/private/{}.p12", "/var/ssl/certs/{}.der")
LINUX_PUBLIC_FILE = "/var/ssl/certs/{}.der"
CONTAINER_FILE = r"C:\appservice\certificates\private\{}.pfx"
CONTAINER_PUBLIC_FILE = r"C:\appservice\certificates\public\{}.cer"
Platform = Literal["linux", "windows", "windows container"]
Letters = Literal["any", "upper", "lower"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The way in which an app chooses its certificates."""

    setting: str | None = None
    """The app setting whose value names the certificate for calls, by thumbprint or by file path."""
    subject: str | None = None
    """The name whose newest certificate the app uses for calls."""
    trusts: str | None = None
    """The app setting that names the public certificate which the app needs.

    An app with only this field makes no calls.
    """
    anonymous: bool = False
    """True if the app calls its simulated partner server without a certificate."""
    letters: Letters = "any"
    """The case in which the app compares a thumbprint with its app setting, letter by letter.

    With `any` the app ignores case, blanks and U+200E, as .NET's FindByThumbprint does.
    """

    def __post_init__(self) -> None:
        ways = bool(self.setting) + bool(self.subject) + self.anonymous
        if ways > 1 or not (ways or self.trusts):
            raise ValueError(
                "An app chooses its certificate by a setting or by a subject, one of the two, or has none."
            )

    @property
    def calls(self) -> bool:
        """True if the app calls a simulated partner server."""
        return bool(self.setting or self.subject or self.anonymous)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The certificates that one process of an app can use from its start to its end."""

    platform: Platform
    certificates: tuple[ImportedCertificate, ...] = field(repr=False)
    """The private certificates."""
    public: tuple[str, ...] = ()
    """The thumbprints of the public certificates."""

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """The thumbprints of the private certificates that the app's process has loaded."""
        return tuple(certificate.thumbprint for certificate in self.certificates)

    def choose(self, chosen: Chosen, settings: Mapping[str, str]) -> ImportedCertificate | None:
        """Return the certificate that the app finds for its calls by its app settings, or None."""
        if chosen.subject is not None:
            return self._newest_named(chosen.subject)
        value = settings.get(chosen.setting or "", "")
        return self._by_thumbprint(value, chosen) or self._files().get(self._spelling(value))

    def trusted(self, chosen: Chosen, settings: Mapping[str, str]) -> str | None:
        """Return the thumbprint of the public certificate that the app needs, or None if the app lacks it.

        The app setting names the public certificate by thumbprint or by file path.
        """
        value = settings.get(chosen.trusts or "", "")
        if value.upper() in self.public:
            return value.upper()
        templates = {"linux": LINUX_PUBLIC_FILE, "windows container": CONTAINER_PUBLIC_FILE}
        template = templates.get(self.platform)
        files = (
            {self._spelling(template.format(thumbprint)): thumbprint for thumbprint in self.public} if template else {}
        )
        return files.get(self._spelling(value))

    def _newest_named(self, subject: str) -> ImportedCertificate | None:
        named = (
            certificate
            for certificate in self.certificates
            if any(covers(name, subject) for name in certificate.host_names)
        )
        return max(named, key=lambda certificate: (certificate.not_before, certificate.not_after), default=None)

    def _by_thumbprint(self, value: str, chosen: Chosen) -> ImportedCertificate | None:
        wanted = _found_by_dotnet(value) if chosen.letters == "any" else value
        case = str.lower if chosen.letters == "lower" else str.upper
        return next((certificate for certificate in self.certificates if case(certificate.thumbprint) == wanted), None)

    def _files(self) -> dict[str, ImportedCertificate]:
        templates = {"linux": LINUX_FILES, "windows": (), "windows container": (CONTAINER_FILE,)}[self.platform]
        return {
            self._spelling(path.format(certificate.thumbprint)): certificate
            for path in templates
            for certificate in self.certificates
        }

    def _spelling(self, path: str) -> str:
        """Return the path in the spelling that the file system compares: unchanged on Linux, else in lower case."""
        return path if self.platform == "linux" else path.lower()


def load(site: Site, private: Iterable[Certificate], public: Iterable[PublicCertificate]) -> Loaded:
    """Return the certificates that a process of the site would load if the process started now.

    `private` and `public` are the private and the public certificates that the site may use.
    """
    wanted = frozenset(load_list(site.settings))
    held = {
        certificate.thumbprint: certificate.content
        for certificate in private
        if certificate.content.private_key_pem and _is_loaded(certificate, wanted)
    }
    trusted = (
        certificate.thumbprint
        for certificate in public
        if _is_named(certificate.thumbprint, wanted) and _is_in_reach(site, certificate)
    )
    return Loaded(_platform(site), tuple(held.values()), tuple(dict.fromkeys(trusted)))


def _found_by_dotnet(value: str) -> str:
    """Return the thumbprint for which .NET's FindByThumbprint looks: without blanks and U+200E, in upper case.

    FindByThumbprint of .NET 10 was run with such texts; it finds nothing for colons, hyphens or quotes.
    """
    return "".join(character for character in value if not character.isspace() and character != "\u200e").upper()


def _is_loaded(certificate: Certificate, wanted: frozenset[str]) -> bool:
    return certificate.loaded if certificate.site_id is not None else _is_named(certificate.thumbprint, wanted)


def _is_named(thumbprint: str, wanted: frozenset[str]) -> bool:
    return thumbprint in wanted or EVERYTHING in wanted


def _is_in_reach(site: Site, certificate: PublicCertificate) -> bool:
    """Return True if the code of the site can read the certificate store that holds the public certificate.

    On Windows outside of an App Service Environment, code reads public certificates only in the user's store. In an App
    Service Environment, code on Windows also reads the machine's certificate store (Azure docs,
    configure-ssl-certificate-in-code, Isolated tier).
    """
    return _platform(site) != "windows" or certificate.location == CURRENT_USER or site.environment is not None


def _platform(site: Site) -> Platform:
    if site.windows_container:
        return "windows container"
    return "linux" if site.linux else "windows"
