"""One site or slot as it is now, with what an action on it depends on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import chain

from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Site
from shared.domain.names import CopyRef, SiteRef, VaultCertificateRef
from shared.domain.tags import OPT_OUT
from shared.ports.app_service import AppService, Copies, Listings


def observe_app(
    app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], followed: VaultCertificateRef, now: datetime
) -> Fleet:
    """Return one site or slot with what its settings name, and the copies that it may name."""
    settings = observe_settings(app_service, ref, lambda reference: reference == followed)
    seen = observe_tags(app_service, ref, copies, now)
    known = {site.ref for site in seen.sites}
    owners = sorted({copy.site for copy in seen.certificates if copy.site is not None} - known)
    mates = chain.from_iterable(_neighbour(app_service, owner) for owner in owners)
    return replace(seen, sites=(*seen.sites, *mates), settings=(settings,))


def _neighbour(app_service: Listings, owner: SiteRef) -> tuple[Site, ...]:
    """Return the site whose public certificate the app may trust, or nothing: then it is none of its plan."""
    try:
        return (app_service.site(owner)[0],)
    except (Denied, NotFound, Rejected):
        return ()


def observe_tags(app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], now: datetime) -> Fleet:
    """Return one site or slot with all of its tags, and the copies. Raises NotFound where the site is gone."""
    seen = observe_site(app_service, ref, copies, now)
    if ref.slot is not None and seen.site(ref.production) is None:  # a slot may have its site's tags, one by one
        seen = replace(seen, sites=(*seen.sites, app_service.site(ref.production)[0]))
    return seen


def observe_site(app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], now: datetime) -> Fleet:
    """Return one site or slot, and the copies that are to serve it. Raises NotFound where the site is gone."""
    site, bindings = app_service.site(ref)
    sites: tuple[Site, ...] = (site,)
    if ref.slot is not None and OPT_OUT.value_in(site.tags) is None:
        sites = (site, app_service.site(ref.production)[0])  # a slot without a tag of its own has its site's
    return Fleet(now, sites, bindings, tuple(chain.from_iterable(_present(app_service, copy) for copy in copies)))


def _present(app_service: Copies, copy: CopyRef) -> tuple[WebspaceCertificate, ...]:
    """Return the copy, or nothing where it is gone: then no thumbprint of it is live."""
    try:
        return (app_service.certificate(copy),)
    except NotFound:
        return ()


def observe_settings(
    app_service: AppService, ref: SiteRef, followed: Callable[[VaultCertificateRef], bool]
) -> SiteSettings:
    """Return what the app settings of a site or slot name, and where their Key Vault references lead; no value is kept.

    One request, and one more if a reference leads to a vault object that is followed.
    """
    settings = read_settings(app_service.settings(ref))
    if not any(followed(reference.ref) for reference in settings.vault_references):
        return settings
    try:
        active = app_service.vault_references(settings.site)
    except (Denied, NotFound, Rejected):
        return settings  # where they lead stays unknown; Azure refuses the refresh, too, and says what is missing
    led = (replace(known, active=active.get(known.key, "").lower() or None) for known in settings.vault_references)
    return replace(settings, vault_references=tuple(led))
