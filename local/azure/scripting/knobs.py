"""The knobs of the simulation: settings for undocumented behaviour of Azure, and for limits that a test wants small."""

from dataclasses import dataclass, fields
from typing import Any, Literal


@dataclass(slots=True)
class Knobs:
    """The knobs of the simulation: settings for behaviour that the sources about Azure leave open.

    A client such as Certroll has to work under every setting of the simulation's knobs.
    """

    sync_moves_bindings: bool = True
    """True if importing a certificate again moves its bindings to the new version.

    Azure docs say that a sync updates bindings; users report both behaviours.
    """
    reads_until_visible: int = 0
    """The number of reads of a resource that still show its state before the last write.

    ARM does not promise that a client reads its own writes.
    """
    wrong_echo: bool = False
    """True if the response to a certificate PUT shows another certificate's vault and the old thumbprint.

    In the azure-cli recording test_webapp_ssl_import, the response showed a certificate of the same thumbprint in
    another resource group.
    """
    if_match_honoured: bool = False
    """True if a PUT with a stale If-Match is refused with 412. No document says that Microsoft.Web checks If-Match."""
    mismatch_refused: bool = True
    """True if Azure refuses to bind a certificate to a host name that the certificate does not cover.

    Azure's extended error code is 04030 (azure-powershell #12843).
    """
    environment_webspaces: Literal["per plan group", "one"] = "per plan group"
    """The webspaces of an App Service Environment; a plan keeps the webspace with which it was made.

    - `per plan group`: The plans of each resource group have a webspace of their own. Two webspaces of one environment
      are recorded, with two resource groups in their names (azure-powershell TestRemoveAzWebAppCertificate.json at
      e86da1ad). No document says that the groups of the plans decide.
    - `one`: All plans of the environment share a webspace.
    """
    second_import_same_thumbprint: Literal["accept", "refuse", "resolve"] = "accept"
    """The reaction to a second certificate with the same thumbprint in one subscription and location.

    In recorded traffic, two webspaces of an App Service Environment hold one vault certificate with the same
    thumbprint, both with the status `Succeeded` (azure-powershell TestRemoveAzWebAppCertificate.json at e86da1ad).
    Users report different reactions, both for imports and for uploads:

    - `accept`: Azure stores the second certificate.
    - `refuse`: Azure answers 409.
    - `resolve`: A PUT under a new name answers 200, shows the first certificate, and creates nothing.

    Writing an existing certificate again under its own name is never a second certificate.
    """
    ip_binding_without_state: Literal["unbound", "kept"] = "unbound"
    """The effect of a PUT without `sslState` on the host name of an IP-based binding.

    No recording shows such a PUT. For an SNI binding, recorded traffic shows that the binding stays.

    - `unbound`: The binding is removed, and its address is lost.
    - `kept`: The binding stays.
    """
    missing_site: Literal["ResourceNotFound", "empty"] = "ResourceNotFound"
    """The body of the 404 for a site or slot that does not exist.

    Both are in recorded traffic of azure-cli and azure-powershell: ARM's error `ResourceNotFound`, and no body.
    """
    settings_write_moves_modified: bool = True
    """True if a write of app settings gives the site a new `lastModifiedTimeUtc`, and so a new ETag.

    In recorded traffic, 64 of 67 writes of app settings did (azure-cli test_webapp_config_appsettings,
    azure-libraries-for-net ManageFunctionAppBasicTest).
    """
    public_certificate_flaps: int = 0
    """The number of reads after a write of a public certificate that alternate between 404 and 200.

    Users report reads with 404 for up to ten minutes, while lists show the certificate at once (azure-rest-api-specs
    #23138).
    """
    import_rewrites_load_list: bool = False
    """True if an import or sync also replaces the old thumbprint in the load lists of the webspace's sites.

    The load list is `WEBSITE_LOAD_CERTIFICATES`, and its change restarts the site. A user reports that an import
    changes load lists (azure-docs #82903), but no document says so.
    """
    certificates_per_webspace: int = 1000
    """The maximum number of private certificates in a webspace (Azure docs, configure-ssl-certificate)."""
    certificates_per_flex_site: int = 3
    """The maximum number of private, and of public, certificates of a Flex Consumption site (azure-docs #128469)."""
    public_certificates_per_plan: int = 1000
    """The maximum number of public certificates of all sites of a plan together (docs, configure-ssl-certificate)."""
    aes_pfx_refused: bool = False
    """True if an upload encrypted with AES fails like an upload with a wrong password.

    Earlier Azure docs ask for a PFX with triple DES; current docs do not. Users of OpenSSL 3 report failed uploads.
    """
    serial_octets: int = 20
    """The maximum number of octets in the serial number of an upload.

    RFC 5280 allows 20 octets. OpenSSL 3 makes serial numbers of 20 octets. Earlier Azure docs say that App Service
    takes only 10 octets, but no user reports this limit.
    """
    site_certificates_hide_host_names: bool = False
    """True if the certificates of Flex Consumption sites show no host names. The az CLI handles such certificates."""
    flex_uses_webspace_certificates: bool = False
    """True if a Flex Consumption site may use the certificates of its webspace in addition to its own."""
    restart_seconds: float = 0.0
    """The seconds from a start until the new process answers; the old process answers until then."""
    old_process_answers: float = 0.0
    """The seconds for which the old process continues to answer after the new process is up.

    Until the old process ends, connections go to the two processes in turn.
    """
    slow_front_end: float = 0.0
    """The seconds until the front ends serve the result of a write."""
    certificate_events_have_secret_twins: bool = False
    """True if a new version of a certificate also causes an event for the secret behind it. No document says so."""
    role_seconds: float = 0.0
    """The seconds until a new role assignment gives access to a vault; in Azure it takes minutes (docs, rbac-guide)."""
    import_needs_certificates_get: bool = True
    """True if an import needs App Service to have access to certificates in addition to secrets.

    Azure docs, configure-ssl-certificate, ask for access to certificates and secrets, although App Service reads only
    the secret.
    """
    managed_issuance_seconds: float = 20.0
    """The seconds until a managed certificate is issued or refused.

    With 0 seconds, the response to the PUT of a managed certificate already shows the outcome.
    """
    managed_hides_thumbprint: bool = True
    """True if a managed certificate shows no thumbprint, issuer or dates.

    The host name bindings of such a managed certificate show no thumbprint either.
    """
    orders_renew_themselves: bool = True
    """True if Azure renews a purchased certificate 32 days before its end, given automatic renewal."""
    order_store_stays_initialized: bool = False
    """True if an order says of a stored certificate `Initialized` for ever, although the secret holds the certificate.

    Imported certificates read `Initialized` as well while they work (azure-cli, test_webapp_ssl_import.yaml).
    """
    orders_show_late: float = 0.0
    """The seconds for which an order in renewal or reissue still has the status `Issued`.

    An order that has the status `Issued` accepts a second request.
    """
    order_patch_forgets: bool = False
    """True if a PATCH of an order without `certificates` deletes the record of the vault secret."""
    internal_environments: Literal["resolved", "by address", "unreachable"] = "resolved"
    """The reach of internal App Service Environments for clients of the proxy.

    - `resolved`: The client is in the virtual network, and its DNS resolves the environment's names.
    - `by address`: The client is in the virtual network, but the names do not resolve.
    - `unreachable`: The client is outside of the virtual network.
    """
    roots_show_blob: bool = True
    """True if a read of an environment's root certificate shows the uploaded certificate.

    No document says which fields Azure shows of a root certificate.
    """
    roots_show_thumbprint: bool = True
    """True if a read of an environment's root certificate shows its thumbprint."""
    certificates_show_created: bool = True
    """True if the generic list of resources has `createdTime` for certificates of webspaces."""
    correlation_kept: bool = True
    """True if ARM takes over the correlation id of the client (`x-ms-correlation-request-id`).

    Terraform's provider sends such an id (terraform-provider-azurerm #3253). ARM's contract for resource providers
    reserves the header (azure-resource-manager-rpc, common-api-details).
    """
    throttling: bool = False
    """True if Azure Resource Manager limits requests by token buckets, and its answers say how many are left.

    Azure docs, request-limits-and-throttling. The limits are off by default, because time of the simulation usually
    moves only when a client waits, so that no bucket would be refilled.
    """
    settings_posts: Literal["own", "writes"] = "own"
    """The bucket from which a read of app settings (POST) takes its token, if `throttling` is on.

    Recorded answers have `x-ms-ratelimit-remaining-subscription-resource-requests: 11995` (azure-cli
    test_functionapp_config_set.yaml), which comes instead of reads or writes by Azure docs. The refill is unknown.

    - `own`: A bucket of 12,000 that is refilled at 12,000 an hour.
    - `writes`: The bucket of writes, of 200 that is refilled at 10 a second.
    """
    page_size: int = 100
    """The number of entries in a page of a list; a small value makes every client follow nextLink."""

    def turn(self, **settings: Any) -> None:  # noqa: ANN401 - comes as JSON from the control port
        """Set the named knobs (simulation settings); for an unknown name, raise a KeyError that lists all knobs."""
        known = {knob.name for knob in fields(self)}
        if unknown := sorted(set(settings) - known):
            raise KeyError(f"No knob named {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
        for name, value in settings.items():
            setattr(self, name, value)
