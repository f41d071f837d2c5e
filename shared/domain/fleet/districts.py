"""Divide a fleet into districts, so that the plan for a vault certificate looks only at the districts that it concerns.

Resources that share a webspace, an App Service plan, an App Service Environment or a resource group of certificates are
in one district, and so are a site and its slots. Resources of one district change nothing in another district.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import digest_of
from shared.domain.fleet.sites import ServerFarm, Site
from shared.domain.letter_case import lower_case
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.targets import names_of_environment, names_of_plan, names_of_site, names_of_webspace

Key = Hashable
"""By what a plan finds a resource: a thumbprint, a vault object, a site, a webspace, an environment or a name in a tag.
If a text is both a name and a thumbprint, the plan only looks at a district too many."""
Resource = TypeVar("Resource")
ANYWHERE: Key = ("anywhere",)
"""The key of sites whose webspace Azure does not show. They belong to the part of every vault certificate."""


@dataclass(frozen=True, slots=True)
class Districts:
    """The districts of a fleet, and the keys by which a plan finds them."""

    _fleet: Fleet
    _by_key: dict[Key, set[Key]]
    """The districts that have a resource with the key."""
    _places: "tuple[_Places, ...]"
    """Where the fleet has the sites, bindings, certificates, plans and settings of each district."""
    _imports: dict[VaultCertificateRef, set[Thumbprint]]

    @classmethod
    def of(cls, fleet: Fleet) -> "Districts":
        """Return the districts of a fleet."""
        kinds = _kinds(fleet)
        ties = _Ties()
        for tied in (tied for kind in kinds for tied, _ in kind):
            ties.tie(tied)
        districts = [[ties.district(tied[0]) for tied, _ in kind] for kind in kinds]
        by_key = {key: {ties.district(key)} for key in ties.all()}
        for kind, there in zip(kinds, districts, strict=True):
            for (_, keys), district in zip(kind, there, strict=True):
                for key in keys:
                    by_key.setdefault(key, set()).add(district)
        for environment in fleet.environments:
            for name in names_of_environment(environment.ref):
                by_key.setdefault(name, set()).update(by_key.get(environment.ref, ()))
        imports: dict[VaultCertificateRef, set[Thumbprint]] = {}
        for copy in fleet.certificates:
            if copy.source is not None and copy.thumbprint is not None:
                imports.setdefault(copy.source, set()).add(copy.thumbprint)
        return cls(fleet, by_key, tuple(map(_places, districts)), imports)

    def imported(self, ref: VaultCertificateRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that the imports of a vault object hold."""
        return frozenset(self._imports.get(ref, ()))

    def part(self, keys: Iterable[Key]) -> Fleet:
        """Return the part of the fleet whose districts have a resource with one of the keys, in the fleet's order.

        What belongs to no webspace, such as a root of an environment, stays whole, and so do the blind spots.
        """
        known = (*keys, ANYWHERE)
        chosen = {district for key in known if key is not None for district in self._by_key.get(key, ())}
        fleet, (sites, bindings, copies, plans, settings) = self._fleet, self._places
        return replace(
            fleet,
            sites=_chosen(fleet.sites, sites, chosen),
            bindings=_chosen(fleet.bindings, bindings, chosen),
            certificates=_chosen(fleet.certificates, copies, chosen),
            plans=_chosen(fleet.plans, plans, chosen),
            settings=_chosen(fleet.settings, settings, chosen),
        )


def keys_of(thumbprint: Thumbprint) -> tuple[Key, Key]:
    """Return the keys of a thumbprint: itself, and its digest in settings that Certroll remembers."""
    return thumbprint, digest_of(thumbprint)


_Places = dict[Key, list[int]]


def _places(districts: list[Key]) -> _Places:
    places: _Places = {}
    for place, district in enumerate(districts):
        places.setdefault(district, []).append(place)
    return places


def _chosen(resources: tuple[Resource, ...], places: _Places, chosen: set[Key]) -> tuple[Resource, ...]:
    there = sorted(place for district in chosen for place in places.get(district, ()))
    return tuple([resources[place] for place in there])


_Tied = tuple[tuple[Key, ...], Iterable[Key]]
"""What ties a resource to others, and the further keys by which a plan finds the resource."""


def _kinds(fleet: Fleet) -> tuple[list[_Tied], ...]:
    return (
        [(_ties_of_site(site), names_of_site(site.ref)) for site in fleet.sites],
        [((binding.site.production,), (binding.thumbprint,)) for binding in fleet.bindings],
        list(zip(map(_ties_of_copy, fleet.certificates), _keys_of_copies(fleet.certificates), strict=True)),
        [
            (_ties_of_plan(plan), names_of_plan(plan.resource_id) | names_of_webspace(plan.webspace))
            for plan in fleet.plans
        ],
        [((settings.site.production,), _keys_of_settings(settings)) for settings in fleet.settings],
    )


class _Ties:
    """The keys that are tied to each other, directly or by others (a union-find structure)."""

    def __init__(self) -> None:
        self._above: dict[Key, Key] = {}

    def all(self) -> tuple[Key, ...]:
        return tuple(self._above)

    def tie(self, keys: tuple[Key, ...]) -> None:
        """Put all the keys into one district."""
        first = self.district(keys[0])
        for key in keys[1:]:
            self._above[self.district(key)] = first

    def district(self, key: Key) -> Key:
        """Return the key that stands for the district of the given key."""
        top = key
        while (above := self._above.setdefault(top, top)) != top:
            top = above
        while (above := self._above[key]) != top:
            self._above[key], key = top, above
        return top


def _ties_of_site(site: Site) -> tuple[Key, ...]:
    known = (site.plan or None, site.environment)
    return (site.ref.production, site.webspace or ANYWHERE, *(key for key in known if key is not None))


def _ties_of_copy(copy: WebspaceCertificate) -> tuple[Key, ...]:
    group = (copy.ref.subscription, copy.ref.resource_group)
    return (copy.webspace, copy.site.production if copy.site else group)


def _ties_of_plan(plan: ServerFarm) -> tuple[Key, ...]:
    group = (plan.webspace.subscription, plan.resource_group)
    known = (plan.webspace, lower_case(plan.resource_id), group)
    return known if plan.environment is None else (*known, plan.environment)


def _keys_of_copies(copies: Iterable[WebspaceCertificate]) -> Iterable[Iterable[Key]]:
    """Yield the keys of each certificate. The first import of a vault tells the vault's resource id to new imports."""
    told: set[Key] = set()
    for copy in copies:
        vault = copy.source.vault if copy.source else None
        first = () if vault in told else (vault,)
        told.add(vault)
        yield (copy.thumbprint, copy.source, *first, *(copy.host_names if copy.uploaded else ()))


def _keys_of_settings(settings: SiteSettings) -> Iterable[Key]:
    sealed = settings.sealed
    yield from settings.named
    yield from settings.mentions
    yield from (reference.ref for reference in settings.vault_references)
    if sealed is not None:
        yield from sealed.mentions
        yield from (digest for _, digest in sealed.pins)
