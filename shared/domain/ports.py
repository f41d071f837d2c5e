"""What the core asks of the outside, as protocols. shared/clients fills them."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from shared.domain.app_settings import AppSettings
from shared.domain.cycle import Cycle, CycleApp, OwedStart
from shared.domain.dns import DnsAnswer, RecordKind
from shared.domain.events import VaultEvent
from shared.domain.lineage import Lineage
from shared.domain.managed import HostFacts, Issuance, Place, SeenCertificate
from shared.domain.messages import CertificateMessage, EnvironmentMessage, SiteMessage
from shared.domain.model import (
    Binding,
    Environment,
    Listing,
    RootCertificate,
    SeenSite,
    ServerFarm,
    Site,
    WebspaceCertificate,
)
from shared.domain.names import (
    CopyRef,
    EnvironmentRef,
    HostName,
    RootRef,
    SiteRef,
    Thumbprint,
    VaultCertificateRef,
    VaultName,
    Webspace,
)
from shared.domain.order import Order, OrderRef
from shared.domain.order_action import OrderRecord
from shared.domain.probe import Probe, ProbeSight
from shared.domain.record import Finding, HistoryEntry, PoisonRecord
from shared.domain.roll import RollRecord
from shared.domain.rollout import Rollout, SiteRecord
from shared.domain.secret import Pfx
from shared.domain.sight import Served, Sight
from shared.domain.tags import Tags
from shared.domain.vault_access import VaultSettings

Result = TypeVar("Result")


class AppService(Protocol):
    """App Service and what ARM knows of it. Every method raises AzureError's kinds."""

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that the identity sees."""

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """List the webspace certificates of a subscription."""

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """Return when each webspace certificate of a subscription was made, as far as Azure says it."""

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """List the sites of a subscription that have slots."""

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """List the slots of a site with their bindings."""

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """List the App Service plans of a subscription."""

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """List what runs on a plan, which no role assignment hides."""

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the certificates that a site on a Flex Consumption plan has to itself."""

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the public certificates of a site or slot."""

    def site(self, ref: SiteRef) -> SeenSite:
        """Read one site or slot with its bindings."""

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Read one webspace certificate."""

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Put an imported certificate again, by which App Service fetches the vault's newest version."""

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Put a certificate with its private key into a webspace."""

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Put a certificate without a key on a site or slot."""

    def delete_certificate(self, ref: CopyRef) -> None:
        """Delete a certificate; Azure refuses while a host name is bound to it."""

    def settings(self, site: SiteRef) -> AppSettings:
        """Read the app settings of a site or slot."""

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Read the app settings with the site's ETag from before, for a write that is to follow at once."""

    def put_settings(self, settings: AppSettings) -> None:
        """Replace the app settings, unless the site changed since its ETag was read, where Azure minds that."""

    def vault_references(self, site: SiteRef) -> Mapping[str, str]:
        """Return the version that each Key Vault reference of a site leads to now, by setting."""

    def refresh_references(self, site: SiteRef) -> None:
        """Have the Key Vault references of a site fetched again."""

    def restart(self, site: SiteRef) -> None:
        """Restart a site or slot."""

    def stop(self, site: SiteRef) -> None:
        """Stop a site or slot."""

    def start(self, site: SiteRef) -> None:
        """Start a site or slot."""

    def binding(self, site: SiteRef, host_name: HostName) -> tuple[Binding, object]:
        """Read one host name binding, and its whole body for the way back."""

    def put_binding(self, binding: Binding, body: object) -> None:
        """Write the body back with the thumbprint and ssl_state of the binding."""


class Environments(Protocol):
    """App Service Environments and their root certificates. Every method raises AzureError's kinds."""

    def environments(self, subscription: str) -> Listing[Environment]:
        """List the App Service Environments of a subscription."""

    def environment(self, ref: EnvironmentRef) -> Environment:
        """Read one environment."""

    def inbound_addresses(self, ref: EnvironmentRef) -> tuple[str, ...]:
        """Return where an environment is reached: from inside its network where it is internal, else from anywhere."""

    def sites(self, ref: EnvironmentRef) -> Listing[Site]:
        """List the sites in an environment, without slots."""

    def roots(self, ref: EnvironmentRef) -> Listing[RootCertificate]:
        """List the public certificates of an environment."""

    def root(self, ref: RootRef) -> RootCertificate:
        """Read one public certificate of an environment."""

    def put_root(self, root: RootCertificate, der: bytes) -> None:
        """Put a root certificate into an environment."""

    def delete_root(self, ref: RootRef) -> None:
        """Take a root certificate out of an environment."""


class Vault(Protocol):
    """Key Vault. Every method raises AzureError's kinds."""

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read one lineage with its versions, judged as of `now`."""

    def names(self, vault: VaultName) -> tuple[VaultCertificateRef, ...]:
        """List the certificates of a vault."""

    def secret_names(self, vault: VaultName) -> tuple[VaultCertificateRef, ...]:
        """List the secrets of a vault that hold a certificate by their content type."""

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        """Return the certificate of one version in DER, without its key."""

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return one version with its private key and chain, under a random password. It is kept nowhere."""


class Orders(Protocol):
    """Orders of purchased certificates. Every method raises AzureError's kinds. The last three are asked once each."""

    def orders(self, subscription: str) -> Listing[Order]:
        """List the orders of a subscription, without when their domains were last verified."""

    def order(self, ref: OrderRef) -> Order:
        """Read one order."""

    def last_verified(self, ref: OrderRef) -> datetime | None:
        """Return when somebody last proved the domain, None where the order's history does not say."""

    def turn_on_auto_renew(self, ref: OrderRef) -> None:
        """Turn automatic renewal on and leave all else as it is read now."""

    def renew(self, order: Order) -> None:
        """Buy the next certificate of an order."""

    def reissue(self, order: Order) -> None:
        """Have the certificate issued again with a new key; the old one is revoked later."""


class VaultRights(Protocol):
    """Who may do what on vaults, as ARM shows it. Every method raises AzureError's kinds."""

    def vaults(self, subscription: str) -> Mapping[VaultName, str]:
        """Return the resource ids of a subscription's vaults."""

    def settings(self, vault_id: str) -> VaultSettings:
        """Read how a vault decides who may use it."""


class ManagedCertificates(Protocol):
    """Free certificates that Azure manages, and what they depend on. Every method raises AzureError's kinds."""

    def certificates(self, subscription: str) -> Listing[SeenCertificate]:
        """List the certificates of a subscription, managed ones and others."""

    def places(self, subscription: str) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_tags(self, subscription: str) -> Listing[tuple[SiteRef, Tags]]:
        """List all slots of a subscription with their tags."""

    def slots(self, site: SiteRef) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the slots of a site with their bindings."""

    def host_facts(self, site: SiteRef) -> Mapping[HostName, HostFacts]:
        """Return what App Service says of the host names of a site or slot."""

    def tier(self, plan: str) -> str:
        """Return the tier of an App Service plan, empty where Azure does not say it."""

    def certificate(self, ref: CopyRef) -> SeenCertificate:
        """Read one certificate. Raises NotFound, also while it is not issued yet."""

    def ask_for(self, ref: CopyRef, host_name: HostName, place: Place) -> str:
        """Ask for a managed certificate; return where Azure will say how far it is, empty where it is done."""

    def is_done(self, operation: str) -> bool:
        """Say whether Azure is done with what it was asked for. Raises Rejected with its reason where it refused."""


class Dns(Protocol):
    """Public DNS, as it is seen from here."""

    def ask(self, name: str, kind: RecordKind) -> DnsAnswer:
        """Return the records of a name. Nothing is raised: that nothing could be seen is an answer."""


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class TlsProbe(Protocol):
    """What is really served."""

    def shows(self, host_name: HostName, address: str, expected: Thumbprint, give_up: datetime) -> Sight:
        """Shake hands at the address, the host name as SNI, until the expected certificate is seen or time is up."""

    def served(self, host_name: HostName, address: str, give_up: datetime) -> Served:
        """Shake hands likewise, until a certificate is seen that is good for the host name, or time is up."""


class AppProbe(Protocol):
    """The app's own answer."""

    def ask(
        self, host: HostName, probe: Probe, new: Thumbprint, old: frozenset[Thumbprint], address: str | None = None
    ) -> ProbeSight:
        """Ask the probe's path once on a new connection, and judge the answer.

        The connection goes to the address where there is one: the host name may resolve inside a network alone.
        """


class Journal(Protocol):
    """What was done and how far it came."""

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the state of one version; a version that the journal does not know is empty."""

    def site(self, ref: VaultCertificateRef, version: str, site: SiteRef) -> SiteRecord | None:
        """Return what is known of one site for one version, None where nothing is."""

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> None:
        """Record sites, then which place is first: a crash between the two chooses the first place again."""

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> None:
        """Record the state of one site, unless another version's record has taken its place meanwhile."""

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return what is known of the settings of one app, of whatever version it is; None where nothing is."""

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Record one app, in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there.
        """

    def looked(self, ref: VaultCertificateRef, rollout: Rollout, at: datetime) -> None:
        """Record when the fleet was last observed for a version."""

    def release(self, ref: VaultCertificateRef, version: str, now: datetime) -> tuple[SiteRef, ...]:
        """Forget the failures that hold a version; return where they were."""

    def claim_restart(self, plan: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef, most: int) -> bool:
        """Say whether the site may restart now, at most so many sites of a plan at a time; if so it is counted.

        The caller holds the plan's lease.
        """

    def restarting(self, plan: str, but: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites of a plan that are counted as restarting, but for those of the environment's own waves."""

    def restarted(self, plan: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
        """Count the site no longer."""

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return what was asked of an order, of whatever certificate of it."""

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Record what is asked, in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there: another run asks.
        """

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return what Azure was asked for a host name, None where nothing is known of it."""

    def put_issuance(self, issuance: Issuance) -> None:
        """Record what Azure is asked for a host name."""

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Forget what Azure was asked for a host name."""

    def add_history(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append to the history of a vault certificate, or of another scope."""

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record findings; the same finding again only renews its date."""

    def failed(self, body: str, cause: str) -> None:
        """Remember why a message failed, for the day it turns up in a poison queue."""

    def poison(self, queue: str, body: str, cause: str | None) -> PoisonRecord:
        """Keep a message that failed for good, with the cause given or remembered."""

    def poisoned(self, queue: str, key: str) -> PoisonRecord:
        """Return a kept message. Raises NotFound."""

    def replayed(self, record: PoisonRecord) -> None:
        """Forget a kept message that was put back."""


class Cycles(Protocol):
    """How far the apps of each environment have come with stopping and starting, and which starts are owed."""

    def all(self) -> tuple[Cycle, ...]:
        """Return what is known of every environment."""

    def of(self, environment: EnvironmentRef) -> Cycle:
        """Return what is known of an environment; of one that is not known nothing is."""

    def put(self, cycle: Cycle) -> Cycle:
        """Record it in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there.
        """

    def change(self, environment: EnvironmentRef, change: Callable[[Cycle], Cycle]) -> Cycle:
        """Record the change of what is known by then, and return it."""

    def apps(self, environment: EnvironmentRef) -> tuple[CycleApp, ...]:
        """Return how far the apps of an environment are."""

    def put_apps(self, environment: EnvironmentRef, apps: Iterable[CycleApp]) -> None:
        """Record how far apps are."""

    def forget_app(self, environment: EnvironmentRef, site: SiteRef) -> None:
        """Forget an app that is gone."""

    def owe(self, start: OwedStart) -> None:
        """Record that a start is owed."""

    def owed(self) -> tuple[OwedStart, ...]:
        """Return every start that is owed, the oldest first."""

    def paid(self, site: SiteRef) -> None:
        """Forget that a start is owed."""


class Again(Protocol):
    """The one retry layer, for work that reads and compares before it writes."""

    def again(self, work: Callable[[], Result]) -> Result:
        """Return what the work returns, doing it again while what it raises is worth it."""


class Leases(Protocol):
    """One writer at a time."""

    def hold(self, name: str) -> "AbstractContextManager[Lease]":
        """Take a lease and keep it renewed while the context lasts. Raises LeaseBusy."""


class Lease(Protocol):
    """A lease that is held."""

    def check(self) -> None:
        """Return while the lease is held. Raises LeaseLost."""


class Queue(Protocol):
    """The work queues."""

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `certificates`, visible after the delay."""

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `sites`, visible after the delay."""

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `environments`, visible after the delay."""

    def put_back(self, queue: str, body: str) -> None:
        """Put a body back as it was."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What a run needs of the outside."""

    app_service: AppService
    environments: Environments
    managed: ManagedCertificates
    dns: Dns
    vault: Vault
    orders: Orders
    vault_rights: VaultRights
    tls_probe: TlsProbe
    app_probe: AppProbe
    journal: Journal
    cycles: Cycles
    leases: Leases
    queue: Queue
    clock: Clock
    retrying: Again
    read_event: Callable[[str, frozenset[VaultName]], VaultEvent]
