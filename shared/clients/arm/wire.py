"""Turn the answers of App Service into Certroll's own types."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from shared.clients.arm.requests import Json, tags_of, webspace_of, written_tags
from shared.clients.reading import text_of
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm, Site
from shared.domain.letter_case import lower_case
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    InvalidNameError,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    Webspace,
    parse_subscription,
    parse_thumbprint,
    read_host_name,
)
from shared.domain.path_names import path_problem

LOADING = "loadCertificateToWebsitesSettings"
SWITCHES = (LOADING, "enableKeyVaultAccessUsingMSI")
"""The switches of a site's own certificate.

A PUT without a switch turns that switch off, and the SDK has no field for the switch.
"""

SHOWN_OF_SITE = (
    "clientCertEnabled",
    "clientCertMode",
    "clientCertExclusionPaths",
    "httpsOnly",
    "endToEndEncryptionEnabled",
    "publicNetworkAccess",
    "customDomainVerificationId",
    "sku",
)
"""The properties of a site that compliance rules judge. What lists show of a site's configuration is wrong, so it
is not among them (azure-sdk-for-js #26876, azure-powershell #28005)."""
SHOWN_OF_CERTIFICATE = ("issueDate", "expirationDate", "issuer", "subjectName", "canonicalName", "keyVaultSecretStatus")
"""The properties of a certificate that compliance rules judge."""
FIRST_YEAR, LAST_YEAR = 2008, 9999
"""The years in which a site may have changed: Azure was announced in 2008."""

_PLAN_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Web/serverfarms/([^/]+)", re.IGNORECASE
)
_OLD_SLOT = re.compile(r"(/sites/[^/()]+)\(([^/()]+)\)$")


def read_site_ref(wire: Json) -> SiteRef:
    """Return the site or slot that Azure's id names. App Service also writes a slot in an older form, `site(slot)`."""
    return SiteRef.parse(_OLD_SLOT.sub(r"\1/slots/\2", str(wire.get("id"))))


def read_date(wire: Json) -> tuple[CopyRef, datetime]:
    """Return the reference and the creation date of a certificate in ARM's list of resources.

    Raise ValueError if the certificate's creation date is missing or unreadable.
    """
    created = datetime.fromisoformat(str(wire.get("createdTime")))
    return CopyRef.parse(str(wire.get("id"))), created.astimezone(UTC)


def plan_names(resource_id: str) -> tuple[str, str, str]:
    """Return subscription, resource group and name of an App Service plan. Raise ValueError for any other id."""
    found = _PLAN_ID.fullmatch(resource_id)
    if found is None:
        raise ValueError(f"{resource_id[:200]!r} is not the id of an App Service plan")
    if problem := path_problem(resource_id, of_vault=False):
        raise ValueError(problem)
    return found[1], found[2], found[3]


def read_plan(wire: Json) -> ServerFarm:
    """Return an App Service plan from Azure's JSON.

    Raise ValueError if the plan names no valid webspace, or an invalid App Service Environment.
    """
    resource_id, properties = str(wire.get("id")), wire.get("properties") or {}
    subscription = parse_subscription(plan_names(resource_id)[0])
    if not properties.get("webSpace"):
        raise ValueError("Azure does not say its webspace")
    webspace = Webspace.parse(subscription, properties["webSpace"])
    tier = text_of(wire.get("sku") or {}, "tier")
    return ServerFarm(resource_id, webspace, text_of(wire, "location"), _environment(properties), tier)


def read_certificate(wire: Json, webspace: Webspace | None = None) -> WebspaceCertificate:
    """Return a certificate in App Service from Azure's JSON.

    Raise ValueError if the certificate's id, thumbprint or date is unreadable. `webspace`, if given, is the webspace of
    the site to which the certificate belongs. Azure does not show the webspace of a public certificate.
    """
    properties = wire.get("properties") or {}
    ref = CopyRef.parse(str(wire.get("id")))
    expiration = properties.get("expirationDate")
    named = properties.get("webSpace") or ("-" if ref.owner else "")
    return WebspaceCertificate(
        ref=ref,
        webspace=webspace or Webspace.parse(ref.subscription, named),
        location=text_of(wire, "location"),
        thumbprint=_thumbprint(properties.get("thumbprint")),
        host_names=frozenset(read_host_name(str(name)) for name in properties.get("hostNames") or () if name),
        not_after=datetime.fromisoformat(expiration).astimezone(UTC) if expiration else None,
        source=_source(properties),
        key_vault_id=properties.get("keyVaultId"),
        key_vault_secret=properties.get("keyVaultSecretName"),
        tags=tags_of(wire),
        written_tags=json.dumps(written_tags(wire)),
        switches=json.dumps({name: properties[name] for name in SWITCHES if properties.get(name) is not None}),
        loaded=_is_loaded(properties.get(LOADING)),
        not_before=_moment(properties.get("issueDate")),
        issuer=text_of(properties, "issuer"),
        in_environment=bool(properties.get("hostingEnvironmentProfile")),
        self_signed=_is_self_signed(properties),
        shown=_shown(properties, SHOWN_OF_CERTIFICATE),
    )


def _shown(properties: Json, names: tuple[str, ...]) -> dict[str, object]:
    """Return the properties of the names that Azure's answer has, as they came."""
    return {name: properties[name] for name in names if name in properties}


def _is_self_signed(properties: Json) -> bool:
    """Return True if Azure names the certificate as its own issuer.

    Azure shows the common name of the issuer, and as subject the host names in one text (recorded azure-cli
    test_webapp_ssl_import).
    """
    subject, names = properties.get("subjectName"), properties.get("hostNames") or ()
    own = {name.strip().lower() for name in (subject, *str(subject).split(","), *names) if isinstance(name, str)}
    issuer = properties.get("issuer")
    return isinstance(issuer, str) and bool(issuer.strip()) and issuer.strip().lower() in own


def _changed_at(found: object) -> datetime | None:
    """Return when a site last changed, or None for a time that no site can have.

    .NET writes the year 1 for a time that nobody set, and 9999 for its largest. Such a time never moves, so it says
    nothing about later changes.
    """
    moment = _moment(found)
    return moment if moment is not None and FIRST_YEAR <= moment.year < LAST_YEAR else None


def _moment(found: object) -> datetime | None:
    """Return the date and time that Azure shows, or None for a missing or unreadable one, which blocks no decision.

    Azure shows `lastModifiedTimeUtc` without a zone (recorded azure-cli traffic), and every time in UTC.
    """
    try:
        moment = datetime.fromisoformat(str(found)) if found else None
        return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_loaded(switch: object) -> bool:
    return isinstance(switch, Mapping) and bool(switch.get("loadToWebsite"))


def read_site(wire: Json) -> tuple[Site, tuple[Binding, ...]]:
    """Return a site or slot with its bindings from Azure's JSON.

    Raise ValueError if an id or a thumbprint of the site or slot is invalid, or if the list of host names is missing.
    Each site has at least its default host name, so a missing list does not mean that the site has no bindings.
    """
    properties = wire.get("properties") or {}
    ref = read_site_ref(wire)
    site = Site(
        ref=ref,
        webspace=webspace_of(ref.subscription, properties),
        default_host_name=read_host_name(properties.get("defaultHostName") or ""),
        tags=tags_of(wire),
        running=str(properties.get("state") or "Running").lower() == "running",
        plan=lower_case(str(properties.get("serverFarmId") or "")),
        flex=str(properties.get("sku") or "").lower() == "flexconsumption",
        environment=_environment(properties),
        windows_code=_is_windows_code(wire, properties),
        silos=bool(properties.get("silos")),
        shown={**_shown(properties, SHOWN_OF_SITE), "kind": wire.get("kind")},
        modified=_changed_at(properties.get("lastModifiedTimeUtc")),
    )
    states = properties.get("hostNameSslStates")
    if states is None:
        raise ValueError("Azure does not list its host names")
    ours = (state for state in states if state.get("hostType") != "Repository")
    return site, tuple(read_binding(ref, str(state.get("name") or ""), state) for state in ours)


def _is_windows_code(wire: Json, properties: Json) -> bool:
    """Return True if the site runs code on Windows, so neither `kind` nor properties name Linux or a container.

    Values of `kind` are for example `app`, `functionapp,linux` and `app,container,windows` (Azure docs, App Service
    overview of `kind`).
    """
    kinds = {word.strip() for word in str(wire.get("kind") or "").lower().split(",")}
    switches = ("reserved", "isXenon", "hyperV")
    return kinds.isdisjoint({"linux", "container", "xenon"}) and not any(properties.get(name) for name in switches)


def _environment(properties: Json) -> EnvironmentRef | None:
    profile = properties.get("hostingEnvironmentProfile") or {}
    return EnvironmentRef.parse(str(profile["id"])) if profile.get("id") else None


def read_binding(site: SiteRef, written: str, properties: Json) -> Binding:
    """Return a host name binding from Azure's JSON. `written` is the host name as Azure wrote it.

    Azure omits `sslState` and `thumbprint` if the host name never had a certificate (seen in recorded traffic).
    """
    return Binding(
        site=site,
        host_name=read_host_name(written),
        ssl_state=SslState(properties.get("sslState") or SslState.DISABLED),
        thumbprint=_thumbprint(properties.get("thumbprint")),
        virtual_ip=properties.get("virtualIP") or None,
        written=written,
    )


def _thumbprint(text: str | None) -> Thumbprint | None:
    """Return the thumbprint, or None if Azure shows null or an empty text.

    Azure shows a managed certificate's thumbprint as null or as an empty text.
    """
    return parse_thumbprint(text) if text else None


def _source(properties: Json) -> VaultCertificateRef | None:
    """Return the vault certificate that App Service imported, or None if Azure names no valid vault certificate.

    In `keyVaultId` and `keyVaultSecretName` Azure shows the names of vault and vault certificate in lower case.
    """
    vault, name = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if not vault or not name:
        return None
    try:
        return VaultCertificateRef.parse(vault, "certificate", name)
    except InvalidNameError:
        return None
