"""A small world in good order, as data in the words of Azure's answers, and its facts. Examples of rules change it."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.clients.arm.vault_rights import read_vault
from shared.clients.arm.wire import read_certificate, read_plan, read_site
from shared.compliance.facts import Facts
from shared.compliance.subjects import EnvironmentFacts, ObjectFacts, OwnFacts, VaultFacts
from shared.domain.certificates.lineage import Lineage, Refusal
from shared.domain.certificates.version import CertificateFacts, CertificateVersion, KeyType
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.fleet.app_settings import AppSettings, SiteSettings
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot, Fleet, SeenSite
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Environment, ServerFarm
from shared.domain.names import (
    EnvironmentRef,
    ObjectKind,
    RootRef,
    SiteRef,
    VaultCertificateRef,
    parse_host_name,
    parse_thumbprint,
    parse_vault_name,
)
from shared.domain.reason import Reason
from shared.domain.shown import Gap, Shown, Source

Found = TypeVar("Found")

NOW = datetime(2026, 11, 4, 9, tzinfo=UTC)
SUBSCRIPTION = "6baa9455-e3e7-4682-8209-4cac629f6fbe"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.Web"
CURRENT, OLD, OTHER = "A" * 40, "B" * 40, "C" * 40
"""The thumbprints of the newest version, of the version before, and of a certificate from elsewhere."""
HOST = "www.contoso.com"

HEALTHY: dict[str, Any] = {
    "sites": {
        # name, or name/slot → Azure's properties, `tags`, `kind`, and `config` (…/config/web; None: not read),
        # `settings` (app settings; None: not read), `hosts` (hostNameSslStates entries by name)
        "shop": {
            "kind": "app",
            "tags": {},
            "properties": {
                "state": "Running",
                "defaultHostName": "shop.azurewebsites.net",
                "webSpace": "web-WestEuropewebspace",
                "serverFarmId": f"{GROUP}/serverfarms/plan",
                "sku": "PremiumV3",
                "httpsOnly": True,
                "clientCertEnabled": False,
                "clientCertMode": "Required",
                "clientCertExclusionPaths": None,
                "endToEndEncryptionEnabled": True,
                "publicNetworkAccess": "Enabled",
                "customDomainVerificationId": "D1",
            },
            "hosts": {HOST: {"sslState": "SniEnabled", "thumbprint": CURRENT}},
            "config": {
                "minTlsVersion": "1.2",
                "scmMinTlsVersion": "1.2",
                "minTlsCipherSuite": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "http20Enabled": True,
                "healthCheckPath": None,
            },
            "settings": {"WEBSITE_LOAD_CERTIFICATES": CURRENT},
        },
    },
    "plans": {"plan": {"tier": "PremiumV3"}},
    "certificates": {
        # name → Azure's properties, `tags`
        "wildcard": {
            "thumbprint": CURRENT,
            "hostNames": ["*.contoso.com"],
            "subjectName": "*.contoso.com",
            "issuer": "Contoso Public CA",
            "issueDate": "2026-09-15T00:00:00+00:00",
            "expirationDate": "2027-03-15T00:00:00+00:00",
            "keyVaultId": "contoso-kv",
            "keyVaultSecretName": "wildcard",
            "keyVaultSecretStatus": "Initialized",
            "canonicalName": None,
            "created": "2026-09-16T00:00:00+00:00",
        },
    },
    "objects": {
        # name → `versions` newest first, `refused` (names of versions), `policy`, `tags`, `kind`
        "wildcard": {
            "kind": "certificate",
            "tags": {},
            "versions": [
                {
                    "version": "v2",
                    "thumbprint": CURRENT,
                    "created": "2026-09-15T01:00:00+00:00",
                    "not_before": "2026-09-15T00:00:00+00:00",
                    "not_after": "2027-03-15T00:00:00+00:00",
                    "enabled": True,
                    "facts": {},
                },
                {
                    "version": "v1",
                    "thumbprint": OLD,
                    "created": "2026-03-20T01:00:00+00:00",
                    "not_before": "2026-03-20T00:00:00+00:00",
                    "not_after": "2026-10-06T00:00:00+00:00",
                    "enabled": True,
                    "facts": {},
                },
            ],
            "policy": {
                "issuer": {"name": "DigiCert"},
                "lifetime_actions": [
                    {"action": "AutoRenew", "trigger": {"lifetime_percentage": 80, "days_before_expiry": None}}
                ],
                "key_props": {"reuse_key": False, "exportable": True},
                "secret_props": {"contentType": "application/x-pkcs12"},
                "recoveryLevel": "Recoverable",
            },
        },
    },
    "dns": {HOST: {"exists": True, "cname": "shop.azurewebsites.net", "addresses": ["20.50.2.1"], "asuid": ["D1"]}},
    "tls": {
        HOST: {
            "thumbprint": CURRENT,
            "issuer": "Contoso Public CA",
            "roots": ["Contoso Public Root"],
            "complete": True,
            "protocol": "TLSv1.3",
        }
    },
    "vaults": {
        "contoso-kv": {
            "tags": {},
            "properties": {
                "tenantId": "72f988bf-86f1-41af-91ab-2d7cd011db47",
                "enableRbacAuthorization": True,
                "enableSoftDelete": True,
                "enablePurgeProtection": True,
                "publicNetworkAccess": "Enabled",
                "networkAcls": {"defaultAction": "Allow", "bypass": "AzureServices"},
            },
            "subscriptionTenantId": "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "events": [
                {
                    "name": "certroll",
                    "destination": {"endpointType": "StorageQueue", "queue": "certroll/events"},
                    "provisioningState": "Succeeded",
                    "expirationTimeUtc": None,
                    "filter": {
                        "includedEventTypes": [
                            "Microsoft.KeyVault.CertificateNewVersionCreated",
                            "Microsoft.KeyVault.SecretNewVersionCreated",
                        ],
                        "subjectBeginsWith": "",
                        "subjectEndsWith": "",
                        "advancedFilters": [],
                    },
                    "deadLetterDestination": None,
                    "metrics": {"failed": 0, "dropped": 0, "deadLettered": 0, "succeeded": 4},
                }
            ],
        }
    },
    "environments": {},
    # name → `internal`, `tags`, `clusterSettings`, `roots` (thumbprints), `record`
    "own": {
        "site": {
            "tags": {},
            "queue": "certroll/events",
            "host": "certroll.azurewebsites.net",
            "httpsOnly": True,
            "config": {"minTlsVersion": "1.2", "ipSecurityRestrictions": []},
            "publishing": {"scm": False, "ftp": False},
            "auth": {"enabled": True, "requireAuthentication": True},
        },
        "roles": [{"roleName": "Certroll", "roleId": "0" * 8, "scope": f"/subscriptions/{SUBSCRIPTION}"}],
        "swept": {"completed": "2026-11-04T08:05:00+00:00", "interval": 3600},
    },
    "blind_spots": [],
}
"""A world in which no rule finds anything. An example changes it: objects by name, all else whole."""


def facts_of(change: Mapping[str, object], now: datetime = NOW) -> Facts:
    """Return the facts of the healthy world with a change. A value `None` in place of an answer: it was not read."""
    return facts_in(merged(HEALTHY, change), now)


def facts_in(world: Mapping[str, Any], now: datetime = NOW) -> Facts:
    """Return the facts of a whole world."""
    now = datetime.fromisoformat(world.get("now", now.isoformat()))
    seen = [(found, site) for name, site in world["sites"].items() if site and (found := _read(_site, name, site))]
    copies = [_read(_copy, name, found) for name, found in world["certificates"].items() if found]
    hidden = [*world["blind_spots"], *("unreadable" for copy in copies if copy is None)]
    settings = tuple(
        _settings(name, site) for name, site in world["sites"].items() if site and site.get("settings") is not None
    )
    fleet = Fleet(
        taken_at=now,
        sites=tuple(site for (site, _), _ in seen),
        bindings=tuple(binding for (_, bindings), _ in seen for binding in bindings),
        certificates=tuple(copy for copy in copies if copy is not None),
        plans=tuple(_plan(name, found) for name, found in world["plans"].items()),
        blind_spots=tuple(BlindSpot(spot, "hidden", SUBSCRIPTION, reason=Reason.BLIND_SPOT) for spot in hidden),
        settings=settings,
        environments=tuple(_environment(name, found) for name, found in world["environments"].items() if found),
        roots=tuple(root for name, found in world["environments"].items() if found for root in _roots(name, found)),
    )
    hosts = {binding.host_name: binding.site for binding in fleet.bindings}
    own = world["own"]
    return Facts(
        now=now,
        fleet=fleet,
        objects=tuple(_object(name, found) for name, found in world["objects"].items() if found),
        configs={site.ref: _shown(Source.CONFIG, now, found.get("config")) for (site, _), found in seen},
        names={parse_host_name(host): _shown(Source.DNS, now, found) for host, found in world["dns"].items()},
        handshakes={
            (hosts[parse_host_name(host)], parse_host_name(host)): _shown(Source.TLS, now, found)
            for host, found in world["tls"].items()
            if parse_host_name(host) in hosts
        },
        probed={
            site.ref: Shown(Source.PROBE, now, found["probed"]) for (site, _), found in seen if found.get("probed")
        },
        vaults=tuple(_vault(name, found, now) for name, found in world["vaults"].items() if found),
        environments=tuple(
            EnvironmentFacts(
                _environment(name, found),
                _shown(
                    Source.LIST,
                    now,
                    {"clusterSettings": found["clusterSettings"]} if "clusterSettings" in found else {},
                ),
                EnvironmentRecord(_environment_ref(name), **found["record"]) if found.get("record") else None,
            )
            for name, found in world["environments"].items()
            if found
        ),
        own=OwnFacts(
            _shown(Source.OWN, now, own["site"]),
            _shown(Source.ROLES, now, None if own["roles"] is None else {"assignments": own["roles"]}),
            _shown(Source.JOURNAL, now, own["swept"]),
        ),
    )


def merged(world: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the world with the change: objects are merged by name, and everything else is replaced."""
    result = copy.deepcopy(dict(world))
    for key, value in change.items():
        before = result.get(key)
        result[key] = (
            merged(before, value) if isinstance(before, dict) and isinstance(value, Mapping) else copy.deepcopy(value)
        )
    return result


def site_ref(name: str) -> SiteRef:
    """Return the reference to a site or slot of these worlds."""
    site, _, slot = name.partition("/")
    return SiteRef.parse(f"{GROUP}/sites/{site}" + (f"/slots/{slot}" if slot else ""))


def _read(reader: Callable[[str, Mapping[str, Any]], Found], name: str, found: Mapping[str, Any]) -> Found | None:
    """Return what the product's reader makes of an answer, or None for what it cannot read, as the product does."""
    try:
        return reader(name, found)
    except (TypeError, ValueError):
        return None


def _shown(source: Source, at: datetime, properties: Mapping[str, object] | None) -> Shown:
    return Shown.missing(source, at, Gap.NOT_READ) if properties is None else Shown(source, at, properties)


def _site(name: str, found: Mapping[str, Any]) -> SeenSite:
    hosts = {found["properties"]["defaultHostName"]: {"sslState": "Disabled"}, **found.get("hosts", {})}
    states = [{"name": host, "hostType": "Standard", **state} for host, state in hosts.items() if state]
    properties = {**found["properties"], "hostNameSslStates": states}
    wire = {"id": site_ref(name).resource_id, "tags": found.get("tags", {}), "kind": found.get("kind", "app")}
    return read_site({**wire, "properties": properties})


def _settings(name: str, found: Mapping[str, Any]) -> SiteSettings:
    values = found["settings"]
    return read_settings(AppSettings(site_ref(name), values, dict.fromkeys(values, "")))


def _copy(name: str, found: Mapping[str, Any]) -> WebspaceCertificate:
    properties = {key: value for key, value in found.items() if key not in {"tags", "created", "site"}}
    properties.setdefault("webSpace", "web-WestEuropewebspace")
    place = f"{GROUP}/sites/{found['site']}" if "site" in found else GROUP
    resource_id = f"{place}/certificates/{name}"
    copied = read_certificate(
        {"id": resource_id, "location": "westeurope", "tags": found.get("tags", {}), "properties": properties}
    )
    created = found.get("created")
    return replace(copied, created=datetime.fromisoformat(created) if created else None)


def _plan(name: str, found: Mapping[str, Any]) -> ServerFarm:
    return read_plan(
        {
            "id": f"{GROUP}/serverfarms/{name}",
            "location": "westeurope",
            "sku": {"tier": found["tier"]},
            "properties": {"webSpace": found.get("webSpace", "web-WestEuropewebspace"), **found.get("properties", {})},
        }
    )


def _object(name: str, found: Mapping[str, Any]) -> ObjectFacts:
    kind = ObjectKind(found.get("kind", "certificate"))
    versions = tuple(_version(version) for version in found["versions"])
    refused = found.get("refused", ())
    current = next((version for version in versions if version.enabled and version.version not in refused), None)
    policy = found.get("policy")
    ref = VaultCertificateRef.parse(found.get("vault", "contoso-kv"), kind, name)
    refusal = None if current else Refusal(Reason.VERSION_DISABLED, "disabled")
    lineage = Lineage(ref, versions, current, refusal, tuple(found.get("tags", {}).items()), policy=policy or {})
    return ObjectFacts(lineage, _shown(Source.POLICY, NOW, policy))


def _version(found: Mapping[str, Any]) -> CertificateVersion:
    return CertificateVersion(
        found["version"],
        parse_thumbprint(found["thumbprint"]),
        datetime.fromisoformat(found["not_before"]),
        datetime.fromisoformat(found["not_after"]),
        found["enabled"],
        datetime.fromisoformat(found["created"]),
        None if found["facts"] is None else _facts(found["facts"]),
        found.get("bundle"),
    )


def _facts(change: Mapping[str, Any]) -> CertificateFacts:
    values: dict[str, Any] = {
        "host_names": frozenset(map(parse_host_name, change.get("host_names", ["*.contoso.com"]))),
        "key_type": KeyType(change.get("key_type", "RSA")),
        "key_size": 2048,
        "self_signed": False,
        "server_auth": True,
        "client_auth": True,
        "signature_hash": "sha256",
        "serial_octets": 16,
        "issuer": "Contoso Public CA",
        "curve": None,
        "public_policy": True,
    }
    return CertificateFacts(
        **{**values, **{key: value for key, value in change.items() if key not in {"host_names", "key_type"}}}
    )


def _vault(name: str, found: Mapping[str, Any], now: datetime) -> VaultFacts:
    vault_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/web/providers/Microsoft.KeyVault/vaults/{name}"
    properties = found.get("properties")
    shown = None
    if properties is not None:
        shown = {
            "id": vault_id,
            "tags": found.get("tags", {}),
            "subscriptionTenantId": found.get("subscriptionTenantId"),
            **properties,
        }
    access = read_vault(vault_id, {"properties": properties}) if properties is not None else None
    events = found.get("events")
    return VaultFacts(
        parse_vault_name(name),
        _shown(Source.VAULT, now, shown),
        access,
        _shown(Source.EVENTS, now, None if events is None else {"subscriptions": events}),
    )


def _environment_ref(name: str) -> EnvironmentRef:
    return EnvironmentRef.parse(f"{GROUP}/hostingEnvironments/{name}")


def _environment(name: str, found: Mapping[str, Any]) -> Environment:
    return Environment(
        _environment_ref(name), "westeurope", found.get("internal", False), tuple(found.get("tags", {}).items())
    )


def _roots(name: str, found: Mapping[str, Any]) -> tuple[RootCertificate, ...]:
    base = f"{GROUP}/hostingEnvironments/{name}/publicCertificates"
    return tuple(
        RootCertificate(RootRef.parse(f"{base}/{thumbprint.lower()}"), "westeurope", parse_thumbprint(thumbprint))
        for thumbprint in found.get("roots", ())
    )
