"""Hold the data that a run for managed certificates has read, and check the prerequisites of a host name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from shared.controllers.managed.view import View
from shared.domain.errors import NotFound, Rejected
from shared.domain.fleet.bindings import Binding
from shared.domain.managed.dns import Ask, DnsAnswer, RecordKind, Seen
from shared.domain.managed.issuance import HostFacts, Place, SeenCertificate, Violation, host_subject
from shared.domain.managed.prerequisites import violations
from shared.domain.names import CopyRef, HostName, SiteRef
from shared.domain.reason import Reason
from shared.loop.run import Run

PLAN_ID_PARTS = 9
"""The parts between slashes of the id of an App Service plan, of which the fifth is the resource group."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run for managed certificates, with what Certroll saw in Azure and a cache of the answers of Azure and DNS."""

    run: Run
    view: View
    ask: Ask
    """The function that asks DNS."""
    tier: Callable[[str], str]
    """The function that reads the pricing tier of an App Service plan."""
    facts: Callable[[SiteRef], Mapping[HostName, HostFacts]]
    """The function that reads what Azure knows of the host names of a site."""

    @classmethod
    def of(cls, run: Run, view: View) -> "Work":
        """Return the data of a run for managed certificates, with a cache for the answers of Azure and of DNS."""
        once = lru_cache(maxsize=None)
        return cls(
            run, view, _patient(run.ports.dns.ask), once(run.ports.managed.tier), once(run.ports.managed.host_facts)
        )

    def place(self, binding: Binding) -> Place:
        """Return the site or slot to which the host name belongs."""
        return self.view.places[binding.site]


def _patient(ask: Ask) -> Ask:
    """Return a function that asks DNS each question once, and nothing more about a name without an answer.

    Each question without an answer takes seconds, and the name servers of a name answer all questions or none.
    """
    silent: dict[str, DnsAnswer] = {}

    @cache
    def asked(name: str, kind: RecordKind) -> DnsAnswer:
        if name in silent:
            return replace(silent[name], kind=kind)
        answer = ask(name, kind)
        if answer.seen is Seen.NOTHING:
            silent[name] = answer
        return answer

    return asked


def violations_of(work: Work, binding: Binding) -> tuple[Violation, ...]:
    """Return the prerequisites of Azure for a managed certificate that the host name does not meet.

    Raises NotFound if no site has the host name any more.
    """
    place, facts = work.place(binding), work.facts(binding.site).get(binding.host_name)
    if facts is None:
        subject = host_subject(binding.host_name, binding.site)
        raise NotFound(f"{subject} is gone, or Azure's entry for it is unreadable")
    name = certificate_ref(work, binding)
    there = next((certificate for certificate in work.view.certificates if certificate.ref == name), None)
    found = violations(binding.host_name, place, work.tier(place.site.plan), facts, work.ask)
    if there is not None and not is_for(work, there, binding):
        return (name_taken(binding, there), *found)
    return found


def certificate_ref(work: Work, binding: Binding) -> CopyRef:
    """Return the Azure resource for a managed certificate, in the resource group of the App Service plan.

    The resource of the managed certificate has the host name as its name, as in the Azure CLI. Raise Rejected if Azure
    names no App Service plan for the site.
    """
    plan = work.place(binding).site.plan
    names = plan.split("/")
    if len(names) < PLAN_ID_PARTS:
        detail = f"host name {binding.host_name}: Azure shows no App Service plan of site {binding.site}"
        raise Rejected(detail, Reason.INCOMPLETE_VIEW)
    return CopyRef(binding.site.subscription, names[4], str(binding.host_name))


def is_for(work: Work, certificate: SeenCertificate, binding: Binding) -> bool:
    """Return True if Azure issued the managed certificate for the host name, in the webspace of the host name's site.

    App Service binds a certificate only inside the webspace (App Service's place for certificates) that holds the
    certificate.
    """
    here = work.place(binding).site.webspace
    return (certificate.managed_for, certificate.webspace) == (binding.host_name, here)


def name_taken(binding: Binding, other: SeenCertificate) -> Violation:
    """Return the violation for a host name if another certificate already has the name of its managed certificate."""
    detail = f"certificate {other.ref} of webspace {other.webspace} has the name that the managed certificate of "
    return Violation(Reason.NAME_TAKEN, f"{detail}{binding.host_name} needs; bind that certificate, or delete it")
