"""Look at the fleet for the compliance sweep, and arrange what was read as the facts that rules judge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import partial

from shared.compliance.facts import Facts, is_default
from shared.compliance.subjects import EnvironmentFacts, ObjectFacts, VaultFacts
from shared.controllers.compliance.gathering import Gathered, gather
from shared.controllers.sweep.reading import FLEET_SHARE, Inspection, imported, in_vaults, known_roots, read_in_turn
from shared.controllers.sweep.slices import observe
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import AzureError, Unavailable
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import BlindSpot, Fleet
from shared.domain.fleet.settings_memory import recalled
from shared.domain.managed.dns import DnsAnswer, RecordKind, Seen
from shared.domain.names import HostName, SiteRef, VaultCertificateRef, VaultName, read_host_name
from shared.domain.reason import Reason
from shared.domain.shown import Gap, Shown, Source
from shared.loop.connect_address import address_of
from shared.loop.observe.targets import Targets
from shared.loop.run import Run
from shared.telemetry import event

GATHERING_SHARE = Fraction(1, 2)
"""The share of the time after the vaults that a run keeps for the facts of single things, and for the rules."""
FOR_RULES = timedelta(seconds=60)
"""How long before its end a run reads nothing more, so that the rules and the report have time."""


@dataclass(frozen=True, slots=True)
class Look:
    """The facts, and what this run had no time for."""

    facts: Facts
    left: int
    """How many things wait for another run."""


def look(run: Run) -> Look:
    """Look at the vaults and the fleet, and read the facts of single things that are due.

    Raise an error of Azure if Azure does not answer for the fleet.
    """
    vaults, records = run.intent.vaults, run.ports.environment_records.all()
    refs, _, listed = in_vaults(run)
    refs |= known_roots(run, records)
    inspections = dict(read_in_turn(run, "vault certificates in rules", refs, run.part(FLEET_SHARE)))
    lineages = tuple(inspection.lineage for inspection in inspections.values() if inspection.lineage)
    targets = Targets.of(lineages, limited=run.intent.ase_max_unavailable is not None)
    fleet = observe(run, run.intent.subscriptions, vaults, targets, run.part(GATHERING_SHARE)).fleet
    more = imported(fleet, vaults) - inspections.keys()
    inspections.update(read_in_turn(run, "imported certificates in rules", more, FOR_RULES))
    lineages = tuple(inspection.lineage for inspection in inspections.values() if inspection.lineage)
    known = fleet.thumbprints.union(version.thumbprint for lineage in lineages for version in lineage.versions)
    fleet = recalled(fleet, known)
    at = fleet.taken_at
    configs, names, handshakes = _configs(run, fleet), _names(run, fleet), _handshakes(run, fleet)
    resources = _vaults(run)
    late = sum(spot.is_late for spot in fleet.blind_spots)
    facts = Facts(
        now=run.now(),
        fleet=fleet,
        objects=tuple(ObjectFacts(lineage, Shown(Source.POLICY, at, lineage.policy)) for lineage in lineages),
        configs={site.ref: configs.shown[key] for site in fleet.sites if (key := _key(site.ref)) in configs.shown},
        names={read_host_name(name): fact for name, fact in names.shown.items()},
        handshakes={
            (binding.site, binding.host_name): handshakes.shown[key]
            for binding in _custom(fleet)
            if (key := _host_key(binding)) in handshakes.shown
        },
        vaults=tuple(_vault(run, vault, resources.get(vault)) for vault in sorted(vaults)),
        environments=_environments(fleet, records),
        unseen=(*_unlisted(vaults - listed), *_unread(inspections)),
    )
    return Look(facts, configs.left + names.left + handshakes.left + late)


def _configs(run: Run, fleet: Fleet) -> Gathered:
    sites = {_key(site.ref): site.ref for site in fleet.sites}
    read = run.ports.app_service.configuration
    return gather(run, run.pool, Source.CONFIG, sites, read, FOR_RULES, complete=_is_complete(fleet))


def _names(run: Run, fleet: Fleet) -> Gathered:
    own = (binding.host_name for binding in _custom(fleet) if not binding.host_name.startswith("*"))
    hosts: dict[str, HostName] = {host_name: host_name for host_name in own}
    return gather(run, run.probes, Source.DNS, hosts, partial(_resolved, run), FOR_RULES, complete=_is_complete(fleet))


def _handshakes(run: Run, fleet: Fleet) -> Gathered:
    bound = {_host_key(binding): binding for binding in _custom(fleet) if binding.thumbprint}
    read = partial(_served, run, fleet)
    return gather(run, run.probes, Source.TLS, bound, read, FOR_RULES, complete=_is_complete(fleet))


def _vaults(run: Run) -> Mapping[VaultName, Shown]:
    """Read the vaults in scope as resources of ARM, with one list for each subscription and one request for each vault.

    A vault that no subscription shows is not among them.
    """
    ids: dict[VaultName, str] = {}
    for subscription in run.intent.subscriptions or run.ports.app_service.subscriptions():
        try:
            ids.update(run.ports.vault_rights.vaults(subscription))
        except AzureError as error:
            event("compliance.vaults_unlisted", subscription=subscription, detail=str(error))
    wanted: dict[str, str] = {name: ids[name] for name in sorted(run.intent.vaults) if name in ids}
    read = run.ports.vault_rights.settings
    found = gather(
        run, run.pool, Source.VAULT, wanted, lambda vault_id: read(vault_id).shown, FOR_RULES, complete=False
    )
    return {VaultName(name): shown for name, shown in found.shown.items()}


def _vault(run: Run, name: VaultName, resource: Shown | None) -> VaultFacts:
    nobody = Shown.missing(Source.VAULT, run.now(), Gap.UNREACHABLE, "no subscription in scope shows the vault")
    events = Shown.missing(Source.EVENTS, run.now(), Gap.NOT_READ)
    return VaultFacts(name, resource or nobody, None, events)


def _environments(fleet: Fleet, records: Iterable[EnvironmentRecord]) -> tuple[EnvironmentFacts, ...]:
    of = {record.environment: record for record in records}
    return tuple(
        EnvironmentFacts(found, Shown(Source.LIST, fleet.taken_at, found.shown), of.get(found.ref))
        for found in fleet.environments
    )


def _custom(fleet: Fleet) -> tuple[Binding, ...]:
    """Return the bindings of custom host names."""
    return tuple(binding for binding in fleet.bindings if not is_default(binding.host_name))


def _resolved(run: Run, host_name: HostName) -> Mapping[str, object]:
    """Return what DNS answers for a host name. Raise Unavailable if no name server answers."""
    alias = _asked(run, host_name, RecordKind.CNAME)
    address = _asked(run, host_name, RecordKind.A)
    proof = _asked(run, f"asuid.{host_name}", RecordKind.TXT)
    return {
        "exists": Seen.NO_NAME not in {alias.seen, address.seen},
        "cname": alias.records[0].lower() if alias.records else None,
        "addresses": list(address.records),
        "asuid": [record.strip('"') for record in proof.records],
    }


def _asked(run: Run, name: str, kind: RecordKind) -> DnsAnswer:
    answer = run.ports.dns.ask(name, kind)
    if answer.seen is Seen.NOTHING:
        raise Unavailable(f"DNS of {name}: {answer.detail}")
    return answer


def _served(run: Run, fleet: Fleet, binding: Binding) -> Mapping[str, object]:
    """Return what App Service serves for a host name. Raise Unavailable if it cannot be reached."""
    site = fleet.site(binding.site)
    if site is not None and site.behind is not None:
        raise Unavailable(f"{binding.host_name} is served only inside the network of environment {site.behind}")
    served = run.ports.tls_probe.served(binding.host_name, address_of(fleet, binding), run.now())
    if served.thumbprint is None:
        raise Unavailable(str(served))
    ends = served.not_after.isoformat() if served.not_after else None
    return {"thumbprint": served.thumbprint, "issuer": served.issuer, "ends": ends}


def _unlisted(vaults: Iterable[VaultName]) -> Iterable[BlindSpot]:
    return (
        BlindSpot(f"vault {vault}", "no run could list the vault completely", "", reason=Reason.VAULT_UNREACHABLE)
        for vault in sorted(vaults)
    )


def _unread(inspections: Mapping[VaultCertificateRef, Inspection]) -> Iterable[BlindSpot]:
    for ref, inspection in sorted(inspections.items()):
        if inspection.lineage is None:
            detail = str(inspection.error) if inspection.error else "the vault refuses to show it"
            yield BlindSpot(f"{ref.kind} {ref}", detail, "", reason=Reason.VAULT_UNREACHABLE)


def _is_complete(fleet: Fleet) -> bool:
    return not fleet.blind_spots


def _key(site: SiteRef) -> str:
    return site.resource_id.lower()


def _host_key(binding: Binding) -> str:
    return f"{_key(binding.site)}#{binding.host_name}"
