"""How certificates get from a webspace or a site into an app's process, and how its code finds them there.

Azure docs, configure-ssl-certificate-in-code: `WEBSITE_LOAD_CERTIFICATES` names thumbprints, or `*`, of private and of
public certificates; what it names is put into a store on Windows, and into files named after the thumbprint on Linux
and in Windows containers. The certificates of Flex Consumption sites have a switch of their own instead (az CLI 2.91).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from local.azure.vault.issued import ImportedCertificate
from local.azure.web.load_list import EVERYTHING, load_list
from local.azure.web.resources import CURRENT_USER, Certificate, PublicCertificate, Site, covers

LINUX_FILES = ("/var/ssl/private/{}.p12", "/var/ssl/certs/{}.der")
LINUX_PUBLIC_FILE = "/var/ssl/certs/{}.der"
CONTAINER_FILE = r"C:\appservice\certificates\private\{}.pfx"
CONTAINER_PUBLIC_FILE = r"C:\appservice\certificates\public\{}.cer"
Platform = Literal["linux", "windows", "windows container"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """How an app picks its certificates.

    The one for its calls: by what a setting says, or the newest with a name. `trusts` names the setting that says which
    public certificate it needs; an app with that alone makes no calls. An `anonymous` one calls without a certificate.
    """

    setting: str | None = None
    subject: str | None = None
    trusts: str | None = None
    anonymous: bool = False

    def __post_init__(self) -> None:
        ways = bool(self.setting) + bool(self.subject) + self.anonymous
        if ways > 1 or not (ways or self.trusts):
            raise ValueError(
                "An app chooses its certificate by a setting or by a subject, one of the two, or has none."
            )

    @property
    def calls(self) -> bool:
        """True if the app calls its partner."""
        return bool(self.setting or self.subject or self.anonymous)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The certificates that one process holds, as they were when it was made; nothing takes them away again."""

    platform: Platform
    certificates: tuple[ImportedCertificate, ...] = field(repr=False)
    public: tuple[str, ...] = ()

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """The thumbprints of the private certificates that are held; `public` has those of the public ones."""
        return tuple(certificate.thumbprint for certificate in self.certificates)

    def choose(self, chosen: Chosen, settings: Mapping[str, str]) -> ImportedCertificate | None:
        """Return what an app finds that chooses so under those settings, or None."""
        if chosen.subject is not None:
            return self._newest_named(chosen.subject)
        value = settings.get(chosen.setting or "", "")
        return self._by_thumbprint(value) or self._files().get(self._spelling(value))

    def trusted(self, chosen: Chosen, settings: Mapping[str, str]) -> str | None:
        """Return the thumbprint of the public certificate that the app needs, if it finds it, by thumbprint or path."""
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

    def _by_thumbprint(self, value: str) -> ImportedCertificate | None:
        return next((certificate for certificate in self.certificates if certificate.thumbprint == value.upper()), None)

    def _files(self) -> dict[str, ImportedCertificate]:
        templates = {"linux": LINUX_FILES, "windows": (), "windows container": (CONTAINER_FILE,)}[self.platform]
        return {
            self._spelling(path.format(certificate.thumbprint)): certificate
            for path in templates
            for certificate in self.certificates
        }

    def _spelling(self, path: str) -> str:
        """Return the path as the file system compares it: on Linux every letter counts."""
        return path if self.platform == "linux" else path.lower()


def load(site: Site, private: Iterable[Certificate], public: Iterable[PublicCertificate]) -> Loaded:
    """Return what a process of the site that starts now would hold, of the certificates that the site may use."""
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


def _is_loaded(certificate: Certificate, wanted: frozenset[str]) -> bool:
    return certificate.loaded if certificate.site_id is not None else _is_named(certificate.thumbprint, wanted)


def _is_named(thumbprint: str, wanted: frozenset[str]) -> bool:
    return thumbprint in wanted or EVERYTHING in wanted


def _is_in_reach(site: Site, certificate: PublicCertificate) -> bool:
    """Return True if the site's code may look where the certificate is put: on Windows the user's store alone.

    In an environment it sees the machine's store too (Azure docs, configure-ssl-certificate-in-code: Isolated tier).
    """
    return _platform(site) != "windows" or certificate.location == CURRENT_USER or site.environment is not None


def _platform(site: Site) -> Platform:
    if site.windows_container:
        return "windows container"
    return "linux" if site.linux else "windows"
