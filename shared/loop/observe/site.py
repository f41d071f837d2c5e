"""Read one site or slot from Azure, and the resources that Certroll needs to know before it changes the site."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import chain

from shared.domain.errors import AzureError, NotFound
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Site
from shared.domain.letter_case import lower_case
from shared.domain.names import CopyRef, SiteRef, VaultCertificateRef
from shared.ports.app_service import AppService, Copies, Listings


def observe_app(
    app_service: AppService, ref: SiteRef, copies: tuple[CopyRef, ...], followed: VaultCertificateRef, now: datetime
) -> Fleet:
    """Read one site or slot with the certificates that its app settings name, and the given App Service certificates.

    `followed` is the vault object whose Key Vault references Certroll reads.
    """
    settings = observe_settings(app_service, ref, lambda reference: reference == followed)
    seen = observe_site(app_service, ref, copies, now)
    known = {site.ref for site in seen.sites}
    owners = sorted({copy.site for copy in seen.certificates if copy.site is not None} - known)
    mates = chain.from_iterable(_neighbour(app_service, owner) for owner in owners)
    return replace(seen, sites=(*seen.sites, *mates), settings=(settings,))


def _neighbour(app_service: Listings, owner: SiteRef) -> tuple[Site, ...]:
    """Return the site that owns a public certificate, or an empty tuple if Certroll cannot read the site.

    Certroll treats the owner of a public certificate as an app on another plan if Certroll cannot read the owner.
    """
    try:
        return (app_service.site(owner)[0],)
    except AzureError:
        return ()


def observe_site(
    app_service: AppService,
    ref: SiteRef,
    copies: tuple[CopyRef, ...],
    now: datetime,
    enough: Callable[[tuple[Binding, ...]], bool] = lambda _: False,
) -> Fleet:
    """Return a site or slot, the given certificates that App Service still has, and also the site of a slot.

    A slot inherits each tag of its site separately, and the silos (other regions) of its site. If the bindings are
    `enough` for the caller, this function reads neither the certificates nor the site of the slot. Raises NotFound if
    Azure no longer has the site or slot.
    """
    site, bindings = app_service.site(ref)
    if enough(bindings):
        return Fleet(now, (site,), bindings)
    sites = (site,) if ref.slot is None else (site, app_service.site(ref.production)[0])
    return Fleet(now, sites, bindings, tuple(chain.from_iterable(_present(app_service, copy) for copy in copies)))


def _present(app_service: Copies, copy: CopyRef) -> tuple[WebspaceCertificate, ...]:
    """Return the certificate in App Service, or an empty tuple if Azure no longer has it."""
    try:
        return (app_service.certificate(copy),)
    except NotFound:
        return ()


def observe_settings(
    app_service: AppService,
    ref: SiteRef,
    followed: Callable[[VaultCertificateRef], bool],
    remembered: SiteSettings | None = None,
) -> SiteSettings:
    """Return the certificates that the app settings of a site or slot name, without the values of the settings.

    This function sends one request, and none if it gets the `remembered` settings. If `followed` accepts the vault
    object of a Key Vault reference, this function asks App Service with one more request which version the reference
    has.
    """
    settings = remembered or read_settings(app_service.settings(ref))
    if not any(followed(reference.ref) for reference in settings.vault_references):
        return settings
    try:
        active = {lower_case(key): version for key, version in app_service.vault_references(settings.site).items()}
    except AzureError as error:
        # the versions of the references stay unknown, so Certroll asks App Service to fetch the references again
        return replace(settings, references_unread=str(error))
    known = settings.vault_references
    led = (replace(each, active=active.get(lower_case(each.key), "").lower() or None) for each in known)
    return replace(settings, vault_references=tuple(led))
