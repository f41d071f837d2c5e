"""Build the findings (reported problems) about what Certroll could not read, and about the tags of resources."""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.findings import Finding
from shared.domain.fleet.fleet import BlindSpot, Fleet
from shared.domain.fleet.sites import Site
from shared.domain.spelling import tag_problems
from shared.domain.subject import Subject, environment_subject, identity, site_subject
from shared.domain.tags import Carrier, Tags


def blind_spots(scope: str, fleet: Fleet) -> tuple[Finding, ...]:
    """Return a finding for each blind spot, because a resource that Certroll could not read may be wrong.

    What another run reads is no finding.
    """
    spots = (spot for spot in fleet.blind_spots if not spot.is_late)
    return tuple(
        Finding(fleet.taken_at, scope, _spot_subject(spot), spot.reason, spot.detail, webspace=spot.webspace)
        for spot in spots
    )


def _spot_subject(spot: BlindSpot) -> Subject:
    """Return the subject of a blind spot. The webspace or the subscription tells resources of one name apart."""
    place = f"{spot.webspace.subscription}/{spot.webspace}" if spot.webspace else spot.subscription
    return Subject(spot.subject, place)


Tagged = tuple[str, Tags, Carrier]
"""The name of a resource in messages, its tags, and what kind of resource it is."""


def misspelled_tags(scope: str, tagged: Iterable[Tagged], now: datetime) -> tuple[Finding, ...]:
    """Return a finding for each tag of the resources that Certroll does not know, or whose value it does not know."""
    return tuple(
        Finding(
            now, scope, Subject(f"tag {problem.key} of {subject}", identity(subject)), problem.reason, problem.detail
        )
        for subject, tags, carrier in tagged
        for problem in tag_problems(tags, carrier)
    )


def tagged_sites(sites: Iterable[Site]) -> Iterable[Tagged]:
    """Return the sites and slots with their tags."""
    return ((site_subject(site.ref), site.tags, Carrier.SLOT if site.ref.slot else Carrier.SITE) for site in sites)


def tagged_resources(fleet: Fleet) -> Iterable[Tagged]:
    """Return the sites, slots and environments of the fleet, with their tags."""
    yield from tagged_sites(fleet.sites)
    for environment in fleet.environments:
        yield environment_subject(environment.ref), environment.tags, Carrier.ENVIRONMENT
