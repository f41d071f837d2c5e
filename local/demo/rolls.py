"""Show how Certroll puts new client certificates into app settings, and restores one app's old settings."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.data.tables import TableServiceClient

from local.app import LocalApp
from local.azure.watching.app_watch import AppWatch
from local.azure.web.resources import Site
from local.patience import HANG
from local.stand import Stand

SETTLE = "2s"
"""CERTROLL_PROBE_SETTLE: how long an app gets to restart. The default is 120 s."""
LOOK_EVERY = 0.25
LEAST_VALIDATED = 3
ENDED = frozenset({"Validated", "Unproven", "RolledBack", "Retired"})
Claim = Callable[[object, str], None]


@dataclass(frozen=True, slots=True)
class Named:
    """An app before the renewal."""

    site: Site
    lineage: str
    thumbprint: str
    """The version that the app's settings name."""
    refused: bool
    """True if the app's partner will refuse the new version."""


def apps_before(stand: Stand) -> list[Named]:
    """Return every app whose settings name the current version of a certificate that the demo renews."""
    world = stand.world
    found = []
    with world.lock:
        for vault, name in world.renewing:
            old = world.vaults[vault].certificates[name].newest
            for site in world.web.sites.values():
                if any(old.thumbprint in value for value in site.settings.values()):
                    app = world.apps.of(site)
                    pinned = app is not None and not app.partner.admits("0" * 40)
                    found.append(Named(site, f"{vault}/{name}", old.thumbprint, pinned))
    return sorted(found, key=lambda app: app.site.full_name)


def await_rolls(local: LocalApp, apps: list[Named], began: float) -> list[dict[str, Any]]:
    """Wait until Certroll's update of each app's settings has ended, and return the outcomes and the seconds.

    The demo waits at most nine minutes for Certroll's updates of app settings.
    """
    ended: dict[str, tuple[str, float]] = {}
    with TableServiceClient.from_connection_string(local.azurite.connection_string, **local.azurite.trust) as service:
        while len(ended) < len(apps) and time.monotonic() - began < HANG:
            rows = service.get_table_client("certrolljournal").list_entities()
            for row in (row for row in rows if row.get("state") in ENDED and "app" in row):
                ended.setdefault(row["app"].lower(), (row["state"], round(time.monotonic() - began, 1)))
            time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return [_row(local.stand, app, *ended.get(app.site.id.lower(), ("", HANG))) for app in apps]


def _row(stand: Stand, was: Named, outcome: str, seconds: float) -> dict[str, Any]:
    vault, _, name = was.lineage.partition("/")
    now = stand.world.web.sites.get(was.site.id) or was.site
    return {
        "site": was.site.full_name,
        "lineage": was.lineage,
        "from": was.thumbprint,
        "to": stand.world.vaults[vault].certificates[name].newest.thumbprint,
        "outcome": outcome,
        "restarts": now.restarts - was.site.restarts,
        "seconds": seconds,
    }


def check_rolls(claim: Claim, stand: Stand, apps: list[Named], rows: list[dict[str, Any]], watch: AppWatch) -> None:
    """Check the apps by the calls that simulated partner servers accept, and by the apps' settings."""
    outcome = {row["site"]: row["outcome"] for row in rows}
    good = [app for app in apps if not app.refused]
    held = [app for app in apps if app.refused]
    validated = [app for app in good if outcome[app.site.full_name] == "Validated" and _names_both(stand, app, rows)]
    enough = len(validated) == len(good) >= LEAST_VALIDATED
    claim(enough, f"{len(validated)} of {len(good)} apps present the new client certificate")
    systems = {app.site.linux for app in validated}
    claim(
        systems == {True, False}, "a Linux app by its file, a Windows app by its thumbprint, and a slot before its site"
    )
    exact = [app.site.name for app in validated if _compares_letters(stand, app)]
    claim(len(exact) >= 1, f"{', '.join(exact)} compares its thumbprint letter by letter, in lower case, and finds it")
    once = all(row["restarts"] == 1 for row in rows if row["outcome"] == "Validated")
    claim(once, "each of them was restarted once")
    back = [app for app in held if outcome[app.site.full_name] == "RolledBack" and _is_as_before(stand, app)]
    claim(
        len(back) == len(held) >= 1, f"{len(back)} app whose partner refuses it has its last values back, byte for byte"
    )
    names = {app.site.full_name for app in held}
    lost = [text for _, text in watch.troubles if text.partition(":")[0] not in names]
    claim(watch.looks > 1 and not lost, f"{watch.looks} looks at their calls meanwhile, {len(lost)} other call lost")
    claim(not stand.world.apps.troubles(), "every app can make its call now, and could if it were restarted")


def _names_both(stand: Stand, app: Named, rows: list[dict[str, Any]]) -> bool:
    new = next(row["to"] for row in rows if row["site"] == app.site.full_name)
    settings = stand.world.web.sites.get(app.site.id)
    listed = settings.settings["WEBSITE_LOAD_CERTIFICATES"] if settings else ""
    return f"{app.thumbprint},{new}" in listed


def _compares_letters(stand: Stand, app: Named) -> bool:
    """Return True if the app compares its thumbprint letter by letter."""
    running = stand.world.apps.of(app.site)
    return running is not None and running.chosen.letters != "any"


def _is_as_before(stand: Stand, app: Named) -> bool:
    now = stand.world.web.sites.get(app.site.id)
    return now is not None and dict(now.settings) == dict(app.site.settings)
