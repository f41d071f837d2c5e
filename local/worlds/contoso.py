"""Build Contoso, a simulated fleet of 2 subscriptions, 2 vaults, 15 sites, 5 slots and 19 custom host names.

| webspace                      | plan                   | sites in groups | note                         |
|-------------------------------|------------------------|-----------------|------------------------------|
| plans-weu-WestEuropewebspace  | plan-web-weu (Windows) | shop, web       | the plan is in another group |
| api-NorthEuropewebspace-Linux | plan-api-neu (Linux)   | api             |                              |
| eastasiawebspace              | plan-corp-ea (Windows) | corp            | a legacy name                |

App Service holds one custom host name in Unicode, `bücher.contoso.com`. Clients ask for its ASCII form.

All three webspaces have imported the vault certificate `wildcard-contoso-com`. The demo renews six of the fleet's eight
vault certificates. The site `partners-contoso` opted out of Certroll. At the start, only the binding of the site
`partners-contoso` uses an outdated certificate.

Two of the renewed vault certificates are client certificates. The apps with a client certificate have no custom host
names and call a partner server. The settings of `invoices-contoso` (Linux, with a slot `staging`) name the certificate
`partner-client` by path. The settings of `ledger-contoso` (Windows) name the certificate `partner-client` by
thumbprint. The partner server of `invoices-contoso` and `ledger-contoso` accepts every certificate of the local
authority. The settings of `payments-contoso` (Linux) name the certificate `bank-client` by path. The partner server of
`payments-contoso` accepts only the present thumbprint, so Certroll has to restore the app's old settings.
"""

from datetime import timedelta

from local.azure.scripting.clock import Clock
from local.azure.web.held_certificates import Certificate
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import IP_BASED, STOPPED, Plan
from local.azure.world import ResourceGroup, World
from local.worlds.builders import LIFETIME, Builder

PRODUCTION = "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a01"
CORPORATE = "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a02"
WEB_VAULT = "contoso-web-kv"
CORP_VAULT = "contoso-corp-kv"
WILDCARD = "wildcard-contoso-com"
SHOP = "shop-contoso-com"
API = "api-contoso-com"
INTRANET = "intranet-contoso-com"
ARCHIVE = "archive-contoso-com"
PARTNERS = "partners-contoso-com"
PARTNER_CLIENT = "partner-client"
BANK_CLIENT = "bank-client"
RENEWING = (
    (WEB_VAULT, WILDCARD),
    (WEB_VAULT, SHOP),
    (WEB_VAULT, API),
    (WEB_VAULT, PARTNER_CLIENT),
    (WEB_VAULT, BANK_CLIENT),
    (CORP_VAULT, INTRANET),
)
PROBED = {"certroll-probe": "/health 200 {thumbprint}"}
PATH_SETTING = "CLIENT_CERT_PATH"
THUMBPRINT_SETTING = "CLIENT_CERT_THUMBPRINT"


def contoso(clock: Clock | None = None, seed: int = 0) -> World:
    """Return the simulated fleet Contoso before the renewals."""
    world = World(clock, seed)
    build = Builder(world)
    production = build.add_subscription("Contoso Production", PRODUCTION)
    corporate = build.add_subscription("Contoso Corporate", CORPORATE)
    _vaults(build, build.add_group("security", production), build.add_group("corp-security", corporate, "eastasia"))
    _web(build, build.add_group("plans-weu", production))
    _api(build, build.add_group("api", production, "northeurope"))
    _corporate(build, build.add_group("corp", corporate, "eastasia"))
    _clients(build)
    world.renewing = RENEWING
    return world


def _vaults(build: Builder, security: ResourceGroup, corporate: ResourceGroup) -> None:
    web, corp = build.add_vault(WEB_VAULT, security), build.add_vault(CORP_VAULT, corporate)
    names = {
        WILDCARD: ("*.contoso.com", "contoso.com"),
        SHOP: ("shop.contoso.com", "checkout.contoso.com", "*.brands.contoso.com"),
        API: ("api.contoso.com", "orders-api.contoso.com"),
        PARTNERS: ("partners.contoso.com",),
        PARTNER_CLIENT: ("client.contoso.com",),
        BANK_CLIENT: ("payments.contoso.com",),
    }
    for name, host_names in names.items():
        build.add_certificate(name, host_names, web)
    recent = build.world.clock.now() - timedelta(days=3)
    web.renew(PARTNERS, created=recent, not_after=recent + LIFETIME)
    build.add_certificate(INTRANET, ("intranet.contoso.com",), corp)
    build.add_certificate(ARCHIVE, ("archive.contoso.com",), corp)


def _copy(build: Builder, vault: str, name: str, plan: Plan) -> Certificate:
    return build.add_copy(name, plan, build.world.vaults[vault])


def _web(build: Builder, plans: ResourceGroup) -> None:
    plan = build.add_plan("plan-web-weu", plans)
    wildcard, shop = (_copy(build, WEB_VAULT, name, plan) for name in (WILDCARD, SHOP))
    group = build.add_group("shop", build.world.subscriptions[PRODUCTION])
    site = build.add_site("shop-contoso", plan, group)
    build.add_host(site, "shop.contoso.com", shop, IP_BASED)
    build.add_host(build.add_slot(site, "staging"), "shop-staging.contoso.com", wildcard)
    site = build.add_site("checkout-contoso", plan, group)
    build.add_host(site, "checkout.contoso.com", shop, IP_BASED)
    build.add_host(site, "pay.contoso.com", wildcard)
    group = build.add_group("web", build.world.subscriptions[PRODUCTION])
    site = build.add_site("www-contoso", plan, group)
    build.add_slot(site, "staging")
    for name in ("www.contoso.com", "contoso.com", "careers.contoso.com"):
        build.add_host(site, name, wildcard)
    site = build.add_site("blog-contoso", plan, group)
    for name in ("blog.contoso.com", "bücher.contoso.com"):
        build.add_host(site, name, wildcard)
    build.add_host(build.add_site("brands-contoso", plan, group), "*.brands.contoso.com", shop)
    build.add_host(build.add_site("status-contoso", plan, group), "status.contoso.com")
    _opted_out(build, plan, group)


def _opted_out(build: Builder, plan: Plan, group: ResourceGroup) -> None:
    """Build a site that opted out of Certroll, and whose binding still uses the certificate before the last renewal."""
    versions = build.world.vaults[WEB_VAULT].certificates[PARTNERS].versions
    copies = [build.add_copy(PARTNERS, plan, build.world.vaults[WEB_VAULT], version=version) for version in versions]
    site = build.add_site("partners-contoso", plan, group, tags={"certroll": "off"})
    build.add_host(site, "partners.contoso.com", copies[0])


def _api(build: Builder, group: ResourceGroup) -> None:
    plan = build.add_plan("plan-api-neu", group, linux=True)
    wildcard, api = (_copy(build, WEB_VAULT, name, plan) for name in (WILDCARD, API))
    site = build.add_site("api-contoso", plan)
    build.add_host(site, "api.contoso.com", api, IP_BASED)
    build.add_host(build.add_slot(site, "canary"), "api-canary.contoso.com", wildcard)
    build.add_host(build.add_site("orders-contoso", plan), "orders-api.contoso.com", api)
    build.add_host(build.add_site("hooks-contoso", plan, state=STOPPED), "hooks.contoso.com", wildcard)


def _corporate(build: Builder, group: ResourceGroup) -> None:
    plan = build.add_plan("plan-corp-ea", group, webspace="eastasiawebspace")
    wildcard = _copy(build, WEB_VAULT, WILDCARD, plan)
    intranet, archive = (_copy(build, CORP_VAULT, name, plan) for name in (INTRANET, ARCHIVE))
    site = build.add_site("intranet-contoso", plan)
    build.add_slot(site, "test")
    build.add_host(site, "intranet.contoso.com", intranet)
    build.add_host(site, "hr.contoso.com", wildcard)
    build.add_host(build.add_site("archive-contoso", plan), "archive.contoso.com", archive)


def _clients(build: Builder) -> None:
    """Build the apps that present a client certificate to a partner server.

    A Linux app and a Windows app use the same vault certificate. The Windows app `ledger-contoso` compares its
    thumbprint letter by letter, in lower case. The partner server of `payments-contoso` accepts only the present
    thumbprint of the app's certificate.
    """
    plans = {plan.name: plan for plan in build.world.web.plans.values()}
    windows, linux = plans["plan-web-weu"], plans["plan-api-neu"]
    fabrikam = build.add_partner("fabrikam")
    thumbprint = _copy(build, WEB_VAULT, PARTNER_CLIENT, linux).thumbprint
    invoices = build.add_site("invoices-contoso", linux, tags=PROBED, settings=_by_path(thumbprint))
    for site in (invoices, build.add_slot(invoices, "staging", tags=PROBED)):
        build.add_app(site, fabrikam, setting=PATH_SETTING)
    listed = _copy(build, WEB_VAULT, PARTNER_CLIENT, windows).thumbprint
    settings = {LOAD_LIST: listed, THUMBPRINT_SETTING: thumbprint.lower()}
    group = build.add_group("web", build.world.subscriptions[PRODUCTION])
    ledger = build.add_site("ledger-contoso", windows, group, tags=PROBED, settings=settings)
    build.add_app(ledger, fabrikam, setting=THUMBPRINT_SETTING, letters="lower")
    thumbprint = _copy(build, WEB_VAULT, BANK_CLIENT, linux).thumbprint
    payments = build.add_site("payments-contoso", linux, tags=PROBED, settings=_by_path(thumbprint))
    build.add_app(payments, build.add_partner("woodgrove", accepts=[thumbprint]), setting=PATH_SETTING)


def _by_path(thumbprint: str) -> dict[str, str]:
    return {LOAD_LIST: thumbprint, PATH_SETTING: f"/var/ssl/private/{thumbprint}.p12", "LOG_LEVEL": "info"}
