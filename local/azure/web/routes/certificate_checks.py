"""What may become of a certificate: taken, refused because of others, or resolved to another."""

from local.azure.web import refusals
from local.azure.web.resources import Certificate, short_location
from local.azure.world import World


def check_allowed(world: World, certificate: Certificate, before: Certificate | None) -> None:
    """Refuse what the present state does not allow: no room, a second copy, an upload in place of a bound one."""
    if before is None:
        _check_room(world, certificate)
    if world.knobs.second_import_same_thumbprint == "refuse":
        _check_only_one(world, certificate)
    replaced = before is not None and before.thumbprint != certificate.thumbprint
    if before is not None and replaced and certificate.source is None:
        check_unused(world, before)


def check_unused(world: World, certificate: Certificate) -> None:
    """Refuse to take away what is bound (azure docs, support articles; reported for uploads that are replaced).

    App settings that name the thumbprint do not count: Azure does not look at them.
    """
    for _, host in world.web.using(certificate, certificate.thumbprint):
        raise refusals.in_use(certificate.thumbprint, host.name)


def resolved(world: World, certificate: Certificate, before: Certificate | None) -> Certificate | None:
    """Return the copy that the request for a new one leads to instead, if the knob says so and there is one."""
    resolves = world.knobs.second_import_same_thumbprint == "resolve" and before is None
    return _first(world, certificate) if resolves else None


def _check_room(world: World, certificate: Certificate) -> None:
    """Refuse one more than a webspace takes; what a Flex Consumption site takes is not documented."""
    limit = world.knobs.certificates_per_webspace
    if certificate.site_id is None and sum(1 for _ in world.web.certificates_in(certificate.webspace)) >= limit:
        raise refusals.conflict(
            "The webspace {0} holds {1} private certificates, which is the limit. Delete one that is not used.",
            certificate.webspace.name,
            str(limit),
        )


def _check_only_one(world: World, certificate: Certificate) -> None:
    if (other := _first(world, certificate)) is not None:
        raise refusals.conflict("A certificate with thumbprint {0} already exists as {1}.", other.thumbprint, other.id)


def _first(world: World, certificate: Certificate) -> Certificate | None:
    """Return another copy of the same thumbprint in the same subscription and location, or None."""
    same_thumbprint = (other for other in world.web.all_certificates() if other.thumbprint == certificate.thumbprint)
    others = (other for other in same_thumbprint if other.id.lower() != certificate.id.lower())
    return next((other for other in others if _place(other) == _place(certificate)), None)


def _place(certificate: Certificate) -> tuple[str, ...]:
    """Return what two copies of one thumbprint would have to share; for a site's own certificates, the site."""
    if certificate.site_id is not None:
        return certificate.scope
    return certificate.subscription.lower(), short_location(certificate.location)
