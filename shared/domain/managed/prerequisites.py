"""The prerequisites of free App Service managed certificates.

The sources are the Azure docs "Add and manage TLS/SSL certificates" (create a free managed certificate) and the newer
"App Service managed certificate changes" of July 2025 and November 2025.
"""

import re
from collections.abc import Iterator

from shared.domain.fleet.sites import FREE_TIERS
from shared.domain.international_names import is_international
from shared.domain.managed.caa import caa_violations
from shared.domain.managed.dns import Ask
from shared.domain.managed.dns_path import PLATFORM, TRAFFIC_MANAGER, dns_violations
from shared.domain.managed.issuance import ALTERNATIVE, HostFacts, Place, Violation
from shared.domain.names import HostName, readable_host
from shared.domain.reason import Reason

LONGEST_NAME = 64


ENVIRONMENTS = (".appserviceenvironment.net", ".appserviceenvironment.us")


FLEX_TIER = "flexconsumption"


_NAME = re.compile(r"[a-z0-9.-]+")


def is_custom(host_name: HostName) -> bool:
    """Return True if the host name is a custom domain.

    Azure itself owns the host names of App Service, its environments and Traffic Manager.
    """
    return not host_name.endswith((*PLATFORM, *ENVIRONMENTS, *TRAFFIC_MANAGER))


def violations(host: HostName, place: Place, tier: str, facts: HostFacts, ask: Ask) -> tuple[Violation, ...]:
    """Return the prerequisites of a managed certificate that the host name does not meet.

    `tier` is the tier of the App Service plan, in Azure's words. If a managed certificate is impossible for the host
    name, Certroll does not ask DNS.
    """
    impossible = tuple(_impossible(host, place))
    if impossible:
        return impossible
    return (*_of_app(host, place, tier, facts), *dns_violations(host, place, facts, ask), *caa_violations(host, ask))


def _impossible(host: HostName, place: Place) -> Iterator[Violation]:
    if place.in_environment:
        detail = f"{place.site.ref} runs in an App Service Environment, which has no managed certificates"
        yield Violation(Reason.IN_ENVIRONMENT, f"{detail}. {ALTERNATIVE}")
    if host.startswith("*."):
        detail = f"{host} is a wildcard, which managed certificates do not cover"
        yield Violation(Reason.WILDCARD_NAME, f"{detail}. {ALTERNATIVE}")
    elif is_international(host):
        # App Service holds the name in Unicode, and refuses it (azure-docs #76055, azure-cli #26809)
        detail = f"{readable_host(host)} is an international name, which managed certificates do not cover"
        yield Violation(Reason.NAME_NOT_ALLOWED, f"{detail}. {ALTERNATIVE}")
    elif not _NAME.fullmatch(host) or len(host) > LONGEST_NAME:
        detail = f"{host} has {len(host)} characters; letters, digits, dashes and periods are allowed, {LONGEST_NAME} "
        yield Violation(Reason.NAME_NOT_ALLOWED, f"{detail}at most. {ALTERNATIVE}")


def _of_app(host: HostName, place: Place, tier: str, facts: HostFacts) -> Iterator[Violation]:
    if not tier:
        plan = place.site.plan.rpartition("/")[2]
        detail = f"Azure does not show the tier of plan {plan} of {place.site.ref}; let the identity read the plan"
        yield Violation(Reason.INCOMPLETE_VIEW, detail)
    elif tier.lower() in FREE_TIERS:
        detail = f"{place.site.ref} is on a plan of tier {tier}; scale it up to Basic or higher"
        yield Violation(Reason.TIER_TOO_LOW, detail)
    elif tier.lower() == FLEX_TIER:
        detail = f"{place.site.ref} is on a Flex Consumption plan, whose managed certificates belong to the site"
        yield Violation(Reason.ON_FLEX_CONSUMPTION, f"{detail}: az webapp config ssl create --hostname {host}")
    if not facts.verified:
        detail = f"{host} is not verified; add it to {place.site.ref} again, with the TXT record that the portal shows"
        yield Violation(Reason.HOST_NOT_VERIFIED, detail)
