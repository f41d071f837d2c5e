"""Which sites use a certificate in App Service. What nobody could read leaves that open."""

from shared.compliance.facts import Facts
from shared.compliance.loads import naming
from shared.compliance.subjects import CopyFacts, HostFacts
from shared.domain.names import SiteRef
from shared.domain.shown import Gap, NotSeen, Source


def shown_at(copy: CopyFacts, facts: Facts) -> frozenset[SiteRef]:
    """Return the sites and slots whose host names show a certificate.

    Azure hides the thumbprint of a managed certificate. A host name of its names shows it if the host name is bound
    and no other certificate within the site's reach has the thumbprint of the binding.
    """
    if copy.copy.thumbprint is not None:
        return frozenset(binding.site for binding in facts.bindings_of(copy.copy.thumbprint, copy.copy.webspace))
    return frozenset(host.of.ref for host in facts.hosts if _shows_managed(host, copy, facts))


def used_at(copy: CopyFacts, facts: Facts) -> frozenset[SiteRef]:
    """Return the sites and slots that show a certificate or name it in their settings.

    Raise NotSeen if no site does, and if one within reach of the certificate, or its settings, are hidden.
    """
    shown, thumbprint = shown_at(copy, facts), copy.copy.thumbprint
    near = [site.ref for site in facts.sites if thumbprint and site.site.webspace == copy.copy.webspace]
    reach = [site for site in near if copy.copy in facts.copies_at(site)]
    used = shown | (set(facts.named_by(thumbprint)) & set(reach))
    if not used:
        require_all_sites(copy, facts)
        naming(facts, reach, {thumbprint} if thumbprint else ())
    return used


def require_all_sites(copy: CopyFacts, facts: Facts) -> None:
    """Raise NotSeen if a site that may use a certificate is hidden."""
    if not facts.is_complete(copy.copy.webspace):
        raise NotSeen(Source.LIST, Gap.NOT_READ, f"all sites that may use {copy.label}")


def _shows_managed(host: HostFacts, copy: CopyFacts, facts: Facts) -> bool:
    here = host.of.site.webspace == copy.copy.webspace and host.binding.host_name in copy.copy.host_names
    return here and host.binding.thumbprint is not None and facts.bound_copy(host) is None
