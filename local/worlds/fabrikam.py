"""Build Fabrikam, a simulated fleet with certificates of each kind, for the second part of the demo.

| webspace                           | plan               | content                                            |
|------------------------------------|--------------------|----------------------------------------------------|
| web-WestEuropewebspace             | plan-web (Windows) | an import, an upload that an app uses              |
|                                    |                    | purchased and managed certificates, imports by tag |
| api-NorthEuropewebspace-Linux      | plan-api (Linux)   | a secret, uploads by hand, a public certificate    |
| functions-WestEuropewebspace-Linux | plan-jobs (Flex)   | a site with its own certificate                    |

App Service's nightly sync does not run in the demo, so App Service itself renews no certificate. The demo renews the
certificates in `RENEWING`, and one purchased order. In the simulated fleet Fabrikam, an operator has to act on five
problems.

- An operator has to verify the domain of a purchased order again.
- DNS forbids a managed certificate for two host names.
- An operator has to let App Service read the vault of an import that a tag asks for.
- An operator has to delete an old upload that Certroll did not make.
"""

from datetime import timedelta

from local.azure.scripting.clock import Clock
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import IP_BASED, Plan
from local.azure.world import ResourceGroup, World
from local.worlds.builders import LIFETIME, Builder

SUBSCRIPTION = "8d1f6f5e-3c0b-4e0a-9f57-6a3d1b2c9e01"
VAULT = "fabrikam-kv"
ORDERS_VAULT = "fabrikam-orders-kv"
CLOSED_VAULT = "fabrikam-partner-kv"
"""A vault that App Service may not read."""
WWW, SHOP, LEGACY, SIGNER, JOBS = "www-fabrikam-com", "shop-fabrikam-com", "legacy-fabrikam-com", "signer", "jobs"
API, FORMS = "api-fabrikam-com", "forms-fabrikam-com"
"""Plain secrets: a PFX that is imported, and PEM that people uploaded."""
INTRANET, EXCHANGE = "intranet-fabrikam-com", "exchange-fabrikam-com"
"""Vault certificates that a tag asks to import. EXCHANGE is in the closed vault."""
RENEWING = ((VAULT, WWW), (VAULT, SHOP), (VAULT, LEGACY), (VAULT, SIGNER), (VAULT, JOBS), (VAULT, API), (VAULT, FORMS))
RENEWS, WAITS = "portal", "store"
"""Two purchased orders: Azure renews RENEWS, but WAITS first needs a new verification of its domain."""
MANAGED_HOST, FORBIDDEN_HOST, LEADS_AWAY = "blog.fabrikam.com", "fabrikam.net", "docs.fabrikam.com"
THEIRS = "shop-by-hand-2025"
"""An upload that a person made, and that a newer version superseded long ago."""
PIN_SETTING, TRUST_SETTING = "CLIENT_CERT_THUMBPRINT", "SIGNER_CERT_PATH"
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}
LONG_AGO, LAST_TIME = timedelta(days=330), timedelta(days=150)
OWN_TAG = "certroll-lineage"


def fabrikam(clock: Clock | None = None, seed: int = 0) -> World:
    """Return the simulated fleet Fabrikam before the renewals."""
    world = World(clock, seed)
    build = Builder(world)
    build.add_subscription("Fabrikam", SUBSCRIPTION)
    security = build.add_group("security")
    build.add_vault(VAULT, security)
    build.add_vault(ORDERS_VAULT, security, by_roles=False)
    build.add_vault(CLOSED_VAULT, security, app_service_may_read=False)
    windows = build.add_plan("plan-web", build.add_group("web"))
    linux = build.add_plan("plan-api", build.add_group("api", location="northeurope"), linux=True)
    _imported(build, windows)
    _uploaded(build, windows)
    _uploaded_oddly(build, linux)
    _public(build, linux)
    _secret(build, linux)
    _purchased(build, windows)
    _managed(build, windows)
    _site_scoped(build, build.add_group("functions"))
    _imports(build)
    world.renewing = RENEWING
    return world


def _imported(build: Builder, plan: Plan) -> None:
    """Build a bound import, and an upload of the superseded certificate version that Certroll once made.

    Certroll may delete its superseded upload, because the time is over for which Certroll keeps superseded
    certificates.
    """
    host = "www.fabrikam.com"
    first = _aged(build, WWW, host)
    name = f"certroll-{WWW}-{first.thumbprint}".lower()
    build.add_upload(first, plan, name=name, tags={OWN_TAG: f"{VAULT}/{WWW}"})
    build.add_host(build.add_site("www-fabrikam", plan), host, build.add_copy(WWW, plan))


def _uploaded(build: Builder, plan: Plan) -> None:
    """Build a manually uploaded certificate with an IP-based binding, and the superseded upload before it.

    The setting of an app names the thumbprint of the newer upload as its client certificate.
    """
    host = "shop.fabrikam.com"
    build.add_upload(_aged(build, SHOP, host), plan, name=THEIRS)
    version = build.world.vaults[VAULT].certificates[SHOP].newest
    upload = build.add_upload(version, plan, name="shop-by-hand-2026")
    build.add_host(build.add_site("shop-fabrikam", plan), host, upload, IP_BASED)
    settings = {LOAD_LIST: version.thumbprint, PIN_SETTING: version.thumbprint}
    orders = build.add_site("orders-fabrikam", plan, tags=PROBED, settings=settings)
    build.add_app(orders, build.add_partner("contoso"), setting=PIN_SETTING)


def _aged(build: Builder, name: str, host: str) -> Version:
    """Return the first of two versions of a new vault certificate.

    The second version of the vault certificate superseded the first version months ago.
    """
    now, vault = build.world.clock.now(), build.world.vaults[VAULT]
    first = build.add_certificate(name, (host,), vault, created=now - LONG_AGO)
    recent = now - LAST_TIME
    vault.renew(name, created=recent, not_after=recent + LIFETIME)
    return first


def _uploaded_oddly(build: Builder, plan: Plan) -> None:
    """Build uploads of two vault objects that App Service cannot import.

    One upload has an elliptic-curve key, and the other upload is PEM in a plain secret of the vault.
    """
    vault = build.world.vaults[VAULT]
    versions: dict[str, Version | SecretVersion] = {
        "legacy": build.add_certificate(LEGACY, ("legacy.fabrikam.com",), vault, key_type="EC"),
        "forms": build.add_secret(FORMS, ("forms.fabrikam.com",), vault, pem=True),
    }
    for name, version in versions.items():
        upload = build.add_upload(version, plan, name=f"{name}-by-hand")
        build.add_host(build.add_site(f"{name}-fabrikam", plan), f"{name}.fabrikam.com", upload)


def _public(build: Builder, plan: Plan) -> None:
    """Build a site whose app checks signatures with a public certificate."""
    tags = {"certroll-public-to": "audit-fabrikam"}
    version = build.add_certificate(SIGNER, ("signer.fabrikam.com",), build.world.vaults[VAULT], tags=tags)
    settings = {LOAD_LIST: version.thumbprint, TRUST_SETTING: f"/var/ssl/certs/{version.thumbprint}.der"}
    audit = build.add_site("audit-fabrikam", plan, tags=PROBED, settings=settings)
    build.add_public_certificate(audit, version.leaf.der, name="signer-by-hand")
    build.add_app(audit, trusts=TRUST_SETTING)


def _secret(build: Builder, plan: Plan) -> None:
    """Build a PFX in a plain secret, with its import and a binding."""
    vault = build.world.vaults[VAULT]
    build.add_secret(API, ("api.fabrikam.com",), vault)
    build.add_host(build.add_site("api-fabrikam", plan), "api.fabrikam.com", build.add_copy(API, plan, vault))


def _purchased(build: Builder, plan: Plan) -> None:
    """Build two orders whose certificates are imported and bound.

    The first purchased order is close to its renewal. The renewal of the second purchased order has begun. Azure renews
    the second order only after a new verification of the domain, because the last verification is too old.
    """
    vault = build.world.vaults[ORDERS_VAULT]
    near = build.add_order(RENEWS, "portal.fabrikam.com", vault, age=timedelta(days=160))
    waits = build.add_order(WAITS, "store.fabrikam.com", vault, age=timedelta(days=168), verified=timedelta(days=200))
    build.world.orders.begin(waits, "renew")
    for order in (near, waits):
        copy = build.add_copy(order.stored[order.name].secret_name, plan, vault, name=f"{order.name}-purchased")
        build.add_host(build.add_site(f"{order.name}-fabrikam", plan), order.host, copy)


def _managed(build: Builder, plan: Plan) -> None:
    """Build three host names without a certificate.

    DNS allows a managed certificate for only one of the three host names without a certificate.
    """
    site = build.add_site("blog-fabrikam", plan, tags={"certroll-managed": "on"})
    for name in (MANAGED_HOST, FORBIDDEN_HOST, LEADS_AWAY):
        site = build.add_host(site, name)
    build.add_record(MANAGED_HOST, "CNAME", site.default_host_name)
    build.add_root(FORBIDDEN_HOST, site)
    build.add_record(FORBIDDEN_HOST, "CAA", '0 issue "letsencrypt.org"')
    build.add_record(LEADS_AWAY, "CNAME", "fabrikam.cdn.example")


def _site_scoped(build: Builder, group: ResourceGroup) -> None:
    """Build a site on a Flex Consumption plan, with a binding to its own import."""
    vault = build.world.vaults[VAULT]
    build.add_certificate(JOBS, ("jobs.fabrikam.com",), vault)
    site = build.add_site("jobs-fabrikam", build.add_plan("plan-jobs", group, sku="FC1"))
    build.add_host(site, "jobs.fabrikam.com", build.add_site_certificate(site, JOBS, vault))


def _imports(build: Builder) -> None:
    """Build two vault certificates whose tag asks for an import into a webspace that lacks the certificate."""
    tags = {"certroll-import-to": "plan-web"}
    for vault, name in ((VAULT, INTRANET), (CLOSED_VAULT, EXCHANGE)):
        build.add_certificate(name, (name.replace("-", "."),), build.world.vaults[vault], tags=tags)
