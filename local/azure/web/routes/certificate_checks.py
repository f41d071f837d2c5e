"""The checks before App Service stores a certificate, which may refuse it or return an existing certificate."""

from local.azure.web import refusals
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import short_location
from local.azure.world import World


def check_allowed(world: World, certificate: Certificate, before: Certificate | None) -> None:
    """Refuse a certificate that the present state of App Service does not allow.

    - App Service refuses a new certificate if its webspace (group of plans) is full.
    - App Service refuses a second certificate with the same thumbprint if the simulation's knob
      `second_import_same_thumbprint` is `refuse`.
    - App Service refuses an upload that would replace a certificate to which host names are bound.
    """
    if before is None:
        _check_room(world, certificate)
    if world.knobs.second_import_same_thumbprint == "refuse":
        _check_only_one(world, certificate)
    replaced = before is not None and before.thumbprint != certificate.thumbprint
    if before is not None and replaced and certificate.source is None:
        check_unused(world, before)


def check_unused(world: World, certificate: Certificate) -> None:
    """Refuse to remove a certificate that a host name is bound to.

    Azure support articles describe the refusal to remove a bound certificate. Users report that App Service also
    refuses an upload that would replace a bound certificate. Before a certificate is removed, Azure does not check
    whether app settings name its thumbprint.
    """
    for _, host in world.web.using(certificate, certificate.thumbprint):
        raise refusals.in_use(certificate.thumbprint, host.name)


def resolved(world: World, certificate: Certificate, before: Certificate | None) -> Certificate | None:
    """Return the existing certificate with which App Service answers a request for a new certificate, or None.

    A request for a new certificate is answered with an existing certificate only if the simulation's knob
    `second_import_same_thumbprint` is `resolve`.
    """
    resolves = world.knobs.second_import_same_thumbprint == "resolve" and before is None
    return _first(world, certificate) if resolves else None


def _check_room(world: World, certificate: Certificate) -> None:
    """Refuse a new certificate if its webspace or its Flex Consumption site is full."""
    if certificate.site_id is not None:
        owned = (other.site_id for other in world.web.site_certificates.values())
        check_room_of_site(world, certificate.site_id, sum(owner == certificate.site_id for owner in owned))
    limit = world.knobs.certificates_per_webspace
    if certificate.site_id is None and sum(1 for _ in world.web.certificates_in(certificate.webspace)) >= limit:
        raise refusals.conflict(
            "The webspace {0} holds {1} private certificates, which is the limit. Delete one that is not used.",
            certificate.webspace.name,
            str(limit),
        )


def check_room_of_site(world: World, site_id: str, held: int) -> None:
    """Refuse a new certificate of a Flex Consumption site that holds as many of the kind as it takes."""
    limit = world.knobs.certificates_per_flex_site
    if held >= limit:
        raise refusals.conflict(
            "The site {0} holds {1} certificates of this kind, which is the limit. Delete one that is not used.",
            site_id.rpartition("/")[2],
            str(limit),
        )


def _check_only_one(world: World, certificate: Certificate) -> None:
    if (other := _first(world, certificate)) is not None:
        raise refusals.conflict("A certificate with thumbprint {0} already exists as {1}.", other.thumbprint, other.id)


def _first(world: World, certificate: Certificate) -> Certificate | None:
    """Return another certificate with the same thumbprint in the same subscription and location, or None."""
    same_thumbprint = (other for other in world.web.all_certificates() if other.thumbprint == certificate.thumbprint)
    others = (other for other in same_thumbprint if other.id.lower() != certificate.id.lower())
    return next((other for other in others if _place(other) == _place(certificate)), None)


def _place(certificate: Certificate) -> tuple[str, ...]:
    """Return the scope within which a thumbprint should be unique: subscription and location, or the owning site."""
    if certificate.site_id is not None:
        return certificate.scope
    return certificate.subscription.lower(), short_location(certificate.location)
