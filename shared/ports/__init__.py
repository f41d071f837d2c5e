"""Define what Certroll reads and writes outside of itself, as protocols that shared/clients implements."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.errors import EventRejected
from shared.domain.events import VaultEvent
from shared.domain.names import VaultName
from shared.ports.app_service import AppService
from shared.ports.clock import Clock
from shared.ports.environments import Environments
from shared.ports.fleet_reads import FleetReads
from shared.ports.journal import (
    AppRestarts,
    DeadLetters,
    EnvironmentRecords,
    Findings,
    History,
    Looks,
    PendingStarts,
    Reports,
    Requests,
    RestartClaims,
    Rollouts,
    SettingsMemory,
    SettingsRolls,
    ShownMemory,
    Sweeps,
    Turns,
)
from shared.ports.managed import ManagedCertificates
from shared.ports.orders import Orders
from shared.ports.probes import AppProbe, Dns, TlsProbe
from shared.ports.storage import Leases, Queue, Retrier
from shared.ports.trace import Trace
from shared.ports.vault import Vault
from shared.ports.vault_rights import VaultRights


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of a run, by which Certroll reaches Azure and its storage."""

    app_service: AppService
    environments: Environments
    managed: ManagedCertificates
    dns: Dns
    vault: Vault
    orders: Orders
    vault_rights: VaultRights
    tls_probe: TlsProbe
    app_probe: AppProbe
    rollouts: Rollouts
    settings_rolls: SettingsRolls
    restart_claims: RestartClaims
    requests: Requests
    history: History
    findings: Findings
    dead_letters: DeadLetters
    environment_records: EnvironmentRecords
    app_restarts: AppRestarts
    pending_starts: PendingStarts
    turns: Turns
    sweeps: Sweeps
    looks: Looks
    settings_memory: SettingsMemory
    shown_memory: ShownMemory
    reports: Reports
    fleet_reads: FleetReads
    leases: Leases
    queue: Queue
    clock: Clock
    retrying: Retrier
    trace: Trace
    read_events: Callable[[str, frozenset[VaultName]], tuple[VaultEvent | EventRejected, ...]]
