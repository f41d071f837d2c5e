"""Build Northwind, a simulated fleet in an internal App Service Environment, for the demo's third part.

| plan                  | sites and slots                                                |
|-----------------------|----------------------------------------------------------------|
| plan-orders (Windows) | orders, orders/staging, prices, stock                          |
| plan-billing (Linux)  | archive (stopped), invoices, ledger, museum (opted out), rates |

The apps call a partner server whose certificate chains to a private root. The sites `prices` and `rates` are a group
(tag `certroll-group`), of which Certroll keeps at least one site up. Each running app calls the partner server when a
probe asks for the app's health. The app's call to the partner server succeeds if the app trusts the root of that
server's certificate. At the start, the App Service Environment and the vault hold the present root. The demo puts the
root of a new authority into the vault, and later gives the partner server a certificate of that authority.
"""

from local.azure.scripting.clock import Clock
from local.azure.vault.authority import Authority
from local.azure.web.resources import RUNNING, STOPPED, Plan
from local.azure.world import World
from local.worlds.builders import Builder

SUBSCRIPTION = "3e7a9b1c-5d2f-4a68-8b90-1c2d3e4f5a01"
VAULT, ROOT = "northwind-kv", "northwind-root"
ENVIRONMENT = "ase-north"
PARTNER = "erp"
TAGS = {"certroll-root-of": ENVIRONMENT}
PROBED = {"certroll-probe": "/health"}
GROUPED = {"certroll-group": "quotes"}
GROUP = ("prices", "rates")
STOPPED_SITE, EXCLUDED = "archive", "museum"


def northwind(clock: Clock | None = None, seed: int = 0) -> World:
    """Return the simulated fleet Northwind before the new root arrives in its vault."""
    world = World(clock, seed)
    build = Builder(world)
    build.add_subscription("Northwind", SUBSCRIPTION)
    build.add_vault(VAULT, build.add_group("security"))
    present = Authority("Northwind 2016")
    environment = build.add_environment(ENVIRONMENT, build.add_group("network"))
    build.add_partner(PARTNER, own_root=present, open_to_all=True)
    build.add_root_object(ROOT, present.root_leaf, tags=TAGS)
    build.add_root_certificate(environment, present.root_leaf.der, name="northwind-2016")
    windows = build.add_plan("plan-orders", environment=environment)
    linux = build.add_plan("plan-billing", environment=environment, linux=True)
    for name in ("orders", "prices", "stock"):
        _app(build, name, windows)
    orders = next(site for site in world.web.sites.values() if site.name == "orders")
    build.add_app(build.add_slot(orders, "staging"), anonymous=True)
    for name in ("archive", "invoices", "ledger", "museum", "rates"):
        _app(build, name, linux)
    return world


def put_next_root(world: World) -> Authority:
    """Put the root of a new private authority into the vault, and return the new authority."""
    coming = Authority("Northwind 2026")
    Builder(world).add_root_object(ROOT, coming.root_leaf, tags=TAGS)
    return coming


def _app(build: Builder, name: str, plan: Plan) -> None:
    tags = PROBED | (GROUPED if name in GROUP else {}) | ({"certroll": "off"} if name == EXCLUDED else {})
    state = STOPPED if name == STOPPED_SITE else RUNNING
    build.add_app(build.add_site(name, plan, tags=tags, state=state), anonymous=True)
