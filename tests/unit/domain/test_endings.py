"""Certroll knows from a sweep alone which certificate of a vault object ends first in App Service."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import ROOT_LIST, ReferenceKind, SettingReference, SiteSettings, VaultReference
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.snapshot.endings import Ending, Endings
from tests.build import (
    DAY,
    FOREIGN,
    HOUR,
    NEW,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    WEST,
    binding,
    copy,
    named,
    old_version,
    root,
    site,
    site_ref,
    snapshot,
    version,
)

VERSIONS = (version(), old_version(not_after=NOW + 10 * HOUR), old_version("v0", OLDER, not_after=NOW + 2 * HOUR))
ENDS = {NEW: 90 * 24.0, OLD: 10.0, OLDER: 2.0}
NEW_COPY, OLD_COPY, OLDER_COPY = (copy(name, name) for name in (NEW, OLD, OLDER))


def fleet(**parts: object) -> Fleet:
    """Return a fleet with the site `shop` in WEST, and without any binding or certificate but the given ones."""
    return snapshot(**{"bindings": (), "copies": (), **parts}).fleet  # type: ignore[arg-type]  # the parts have different types


def first(found: Fleet, versions: tuple[CertificateVersion, ...] = VERSIONS) -> tuple[float, bool] | None:
    """Return the hours that the vault object has left in the fleet, and whether the fleet uses it."""
    ending = Endings.of(found).first(REF, versions, NOW)
    return None if ending is None else (ending.hours(NOW), ending.used)


def with_roots(*thumbprints: str) -> SiteSettings:
    """Return the settings of an app that name the thumbprints in WEBSITE_LOAD_ROOT_CERTIFICATES."""
    found = (SettingReference(ROOT_LIST, ReferenceKind.ROOT_LIST, t, t) for t in thumbprints)  # type: ignore[arg-type]
    return SiteSettings(site_ref(), tuple(found))


def led(active: str | None, pinned: str | None = None) -> SiteSettings:
    """Return the settings of an app with a Key Vault reference to the vault object."""
    return named(led=(VaultReference("CERT", REF, pinned, active),))


USES: Mapping[str, tuple[Fleet, tuple[float, bool] | None]] = {
    "nothing": (fleet(), None),
    "a certificate of another vault object": (fleet(bindings=(binding(thumbprint=FOREIGN),)), None),
    "a binding": (fleet(bindings=(binding(),)), (10.0, True)),
    "two bindings": (fleet(bindings=(binding(), binding("b.contoso.com", NEW))), (10.0, True)),
    "a binding without TLS": (
        fleet(bindings=(binding(ssl_state=SslState.DISABLED),), copies=(NEW_COPY,)),
        (2160.0, False),
    ),
    "a binding, and an old copy in its grace": (
        fleet(bindings=(binding(thumbprint=NEW),), copies=(NEW_COPY, OLDER_COPY)),
        (2160.0, True),
    ),
    "copies that nothing uses": (fleet(copies=(OLD_COPY, OLDER_COPY)), (10.0, False)),
    "copies in two webspaces": (fleet(copies=(NEW_COPY, copy("n", OLD, webspace=NORTH))), (10.0, False)),
    "a load list with the old and the new one": (fleet(settings=(named(OLD, NEW),)), (2160.0, True)),
    "a load list with old ones": (fleet(settings=(named(OLDER, OLD),)), (10.0, True)),
    "a root list with the old and the new one": (fleet(settings=(with_roots(OLD, NEW),)), (2160.0, True)),
    "a pin next to a load list": (fleet(settings=(named(NEW, pins={"THUMB": OLD}),)), (10.0, True)),
    "an app that loads everything": (
        fleet(settings=(named(everything=True),), copies=(OLD_COPY, OLDER_COPY)),
        (10.0, True),
    ),
    "an app that loads everything elsewhere": (
        fleet(settings=(named(everything=True),), copies=(copy("n", OLD, webspace=NORTH),)),
        (10.0, False),
    ),
    "a Key Vault reference to the old version": (fleet(settings=(led("v1"),)), (10.0, True)),
    "a Key Vault reference whose version Azure does not show": (fleet(settings=(led(None),)), (2160.0, True)),
    "a Key Vault reference that names the old version": (fleet(settings=(led(None, "V1"),)), (10.0, True)),
    "a Key Vault reference to a version that is gone": (fleet(settings=(led("v9"),)), None),
    "an environment with the old and the new root": (fleet(roots=(root(), root("new", NEW))), (2160.0, True)),
    "an environment with the old root": (fleet(roots=(root(), root("none", None))), (10.0, True)),
}


@pytest.mark.parametrize(("found", "expected"), USES.values(), ids=USES.keys())
def test_first_end_is_that_of_what_is_used(found: Fleet, expected: tuple[float, bool] | None) -> None:
    """The certificate that ends first counts among those in use; where there is a choice, the one that ends last."""
    assert first(found) == expected


def test_unreadable_vault_hides_no_end() -> None:
    """If Certroll cannot read the vault, App Service itself shows when an import that a binding uses ends."""
    ends = replace(OLD_COPY, not_before=NOW - 30 * DAY, not_after=NOW + 5 * HOUR)
    others = (copy("unnamed", None), copy("endless", NEW, not_after=None), copy("else", FOREIGN, source=OTHER_REF))
    found = fleet(bindings=(binding(), binding("b.contoso.com", FOREIGN)), copies=(ends, *others))
    ending = Endings.of(found).first(REF, (), NOW)
    assert ending == Ending(NOW - 30 * DAY, NOW + 5 * HOUR, used=True)


@pytest.mark.parametrize(("since", "left"), [(71, -71.0), (73, 2160.0)])
def test_forgotten_binding_hides_no_end(since: int, left: float) -> None:
    """A certificate that ended more than 72 hours ago counts only if App Service uses no other."""
    ended = old_version(not_after=NOW - since * HOUR)
    found = fleet(bindings=(binding(), binding("b.contoso.com", NEW)))
    assert first(found, (version(), ended)) == (left, True)
    assert first(fleet(bindings=(binding(),)), (version(), ended)) == (-since, True)


def test_site_of_its_own_certificates_holds_them_itself() -> None:
    """A certificate that belongs to one site, such as a Flex Consumption site, is a place of its own."""
    own = replace(OLD_COPY, ref=replace(OLD_COPY.ref, site="flex"))
    assert first(fleet(sites=(site(), site("flex", webspace=WEST)), copies=(own, NEW_COPY))) == (10.0, False)


@pytest.mark.parametrize(
    ("begin", "end", "share"),
    [
        (NOW - 9 * DAY, NOW + DAY, 0.1),
        (NOW - DAY, NOW + 89 * DAY, 0.989),
        (NOW - DAY, NOW - HOUR, 0.0),
        (NOW + DAY, NOW + 2 * DAY, 1.0),
        (None, NOW + DAY, None),
        (NOW + DAY, NOW + DAY, None),
    ],
    ids=["a tenth", "nearly all", "ended", "not begun", "unknown", "without a life"],
)
def test_share_is_the_part_of_the_life_that_is_left(begin: datetime | None, end: datetime, share: float | None) -> None:
    """The share of a certificate is between 1 and 0, or unknown for a life without a beginning."""
    assert Ending(begin, end).share(NOW) == share
    assert Ending(begin, end).hours(NOW) == round((end - NOW) / timedelta(hours=1), 1)
