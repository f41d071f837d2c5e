"""The knobs of a world: switches for what the sources leave open about Azure, and for what a test wants small."""

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(slots=True)
class Knobs:
    """One field per doubt. A client has to reach the same end under every setting."""

    sync_moves_bindings: bool = True
    """Whether importing a copy again moves the bindings on it. Docs say a sync updates them; users report both."""
    reads_until_visible: int = 0
    """How many reads of a resource still show it as it was before the last write. ARM promises no read-your-writes."""
    wrong_echo: bool = False
    """Whether the answer to a certificate PUT shows another copy's vault and the old thumbprint.

    Recorded in azure-cli test_webapp_ssl_import, where another resource group's copy of the same thumbprint showed up.
    """
    if_match_honoured: bool = False
    """Whether a PUT with a stale If-Match is refused with 412. No document says that Microsoft.Web looks at it."""
    mismatch_refused: bool = True
    """Whether a certificate is refused for a host name that it does not cover (04030, azure-powershell #12843)."""
    second_import_same_thumbprint: Literal["accept", "refuse", "resolve"] = "accept"
    """What a second copy of one thumbprint in one subscription and location meets, import or upload: reports differ.

    `refuse`: 409, also for a copy that a sync would make equal to another. `resolve`: a PUT under a new name answers
    200, shows the first copy, and creates nothing. Writing a copy again as it is never is a second one.
    """
    import_rewrites_load_list: bool = False
    """Whether an import or sync that replaces a thumbprint renames it in `WEBSITE_LOAD_CERTIFICATES` of the webspace's
    sites, which restarts them. No document says so; a user reports it (azure-docs #82903).
    """
    certificates_per_webspace: int = 1000
    """How many private certificates a webspace takes (Azure docs, configure-ssl-certificate)."""
    public_certificates_per_plan: int = 1000
    """How many public certificates the sites of one plan take together (Azure docs, configure-ssl-certificate)."""
    aes_pfx_refused: bool = False
    """Whether an upload encrypted with AES fails as if its password were wrong, and only triple DES is read.

    Earlier docs ask for triple DES, today's do not; users of OpenSSL 3 report the failure.
    """
    serial_octets: int = 20
    """How many octets the serial number of an upload may have. RFC 5280 allows 20, and more is refused.

    Earlier docs say that App Service takes 10 of the 20 that OpenSSL 3 makes; nobody reports it.
    """
    site_certificates_hide_host_names: bool = False
    """Whether the certificates of Flex Consumption sites show no host names (az CLI provides for that)."""
    flex_uses_webspace_certificates: bool = False
    """Whether a Flex Consumption site may bind and load what its webspace holds, as well as its own certificates."""
    restart_seconds: float = 0.0
    """Seconds of the world's clock from a start until the new process answers; the old one answers until then."""
    old_process_answers: float = 0.0
    """Seconds for which the old process answers too once the new one does, in turn by connection."""
    slow_front_end: float = 0.0
    """Seconds of the world's clock until the front ends serve what a write changed."""
    certificate_events_have_secret_twins: bool = False
    """Whether a new version of a certificate is announced as one of the secret behind it too. No document says so."""
    role_seconds: float = 0.0
    """Seconds of the world's clock until a new role assignment opens a vault. Docs speak of minutes (rbac-guide)."""
    import_needs_certificates_get: bool = True
    """Whether App Service has to be let at certificates as well as secrets to import a certificate.

    Azure docs, configure-ssl-certificate, ask for both; what it reads is the secret.
    """
    managed_issuance_seconds: float = 20.0
    """Seconds of the world's clock until a managed certificate is issued or refused; at 0 the PUT itself says which."""
    managed_hides_thumbprint: bool = True
    """Whether a managed certificate shows neither thumbprint nor issuer nor dates, and its bindings no thumbprint."""
    orders_renew_themselves: bool = True
    """Whether Azure renews a purchased certificate 32 days before its end where automatic renewal is on."""
    orders_show_late: float = 0.0
    """Seconds for which an order that is renewed or reissued still reads as issued, and takes a second request."""
    order_patch_forgets: bool = False
    """Whether a PATCH of an order that does not name where its certificate is kept makes it kept nowhere."""
    internal_environments: Literal["resolved", "by address", "unreachable"] = "resolved"
    """How those who come through the proxy stand to internal App Service Environments.

    `resolved`: in the network, and its DNS knows the names. `by address`: in the network, but names do not resolve.
    `unreachable`: outside.
    """
    roots_show_blob: bool = True
    """Whether the root certificates of an environment show what was uploaded; no document says which fields come."""
    roots_show_thumbprint: bool = True
    """Whether they show a thumbprint."""
    certificates_show_created: bool = True
    """Whether the generic list has `createdTime` for certificates of webspaces."""
    page_size: int = 100
    """How many entries a page of a list holds; small values make every client follow nextLink."""

    def turn(self, **settings: Any) -> None:  # noqa: ANN401 - comes as JSON from the control port
        """Set these knobs; an unknown one is a KeyError that names those that exist."""
        known = {knob.name for knob in fields(self)}
        if unknown := sorted(set(settings) - known):
            raise KeyError(f"No knob named {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
        for name, value in settings.items():
            setattr(self, name, value)
