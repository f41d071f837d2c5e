"""The Key Vault events of a simulated Azure, and their subscribers.

The simulated Key Vault announces each new version of a certificate or plain secret as an event to subscribers. A
subscriber is a function that receives each event immediately, unless a test delays events by `hold`.
"""

from collections.abc import Callable, Mapping
from uuid import UUID

from local.azure.eventgrid.event import Event, Kind, ObjectType, Shape
from local.azure.kernel import Kernel
from local.azure.vault.objects import VaultCertificate, Version
from local.azure.vault.secrets import Secret, SecretVersion
from local.azure.vault.vault import Vault

Subscriber = Callable[[Event], None]


class Events:
    """The Key Vault events of a simulated Azure, which its vaults announce to subscribers."""

    def __init__(self, kernel: Kernel, vaults: Mapping[str, Vault]) -> None:
        """Begin without subscribers, and with the default spelling of events."""
        self._kernel = kernel
        self._vaults = vaults
        self.shape = Shape()
        self.emitted: list[Event] = []
        self._subscribers: list[Subscriber] = []
        self._held: list[Event] | None = None

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Register a subscriber to later events, and return a function that ends the subscription.

        A subscriber usually runs while the simulated Azure is locked. Subscribers must be quick, and must not call the
        simulated Azure over the network.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def new_version(self, vault: Vault, found: VaultCertificate | Secret, version: Version | SecretVersion) -> None:
        """Announce a new version of a vault certificate or of a plain secret to the subscribers.

        If the simulation's knob `certificate_events_have_secret_twins` is on, a new version of a certificate is also
        announced as a version of the secret behind the certificate.
        """
        plain = found.name.lower() in vault.secrets
        twins = self._kernel.knobs.certificate_events_have_secret_twins
        types: tuple[ObjectType, ...] = ("Certificate", "Secret") if twins else ("Certificate",)
        for object_type in ("Secret",) if plain else types:
            self._publish(self._event(vault, found, version, "NewVersionCreated", object_type))

    def emit(
        self,
        vault: str,
        name: str,
        kind: Kind = "NewVersionCreated",
        version: str | None = None,
        object_type: ObjectType | None = None,
    ) -> Event:
        """Announce an event about a vault object as if Azure sent the event now, and return the event.

        The event names the object's real type, certificate or secret, unless `object_type` names another type.
        """
        source = self._vaults[vault.lower()]
        found = source.certificate(name) or source.secrets[name.lower()]
        about = found.newest if version is None else found.version(version)
        if about is None:
            raise KeyError(f"{name} of vault {vault} has no version {version}.")
        kind_of_object: ObjectType = "Secret" if name.lower() in source.secrets else "Certificate"
        event = self._event(source, found, about, kind, object_type or kind_of_object)
        self._publish(event)
        return event

    def repeat(self, event: Event | None = None) -> Event:
        """Deliver the event, by default the latest, again under the same id, and return the event."""
        again = event or self.emitted[-1]
        self._hand_out(again)
        return again

    def hold(self) -> None:
        """Delay every new event until a test calls `release` or `lose`."""
        self._held = self._held or []

    def release(self) -> list[Event]:
        """Deliver the events that `hold` delayed to the subscribers, newest first, and return these events.

        Subscribers have to cope with events in reverse order, because Event Grid does not promise any order.
        """
        held, self._held = list(reversed(self._held or [])), None
        for event in held:
            self._hand_out(event)
        return held

    def lose(self) -> list[Event]:
        """Discard the events that `hold` delayed, and return the discarded events."""
        lost, self._held = self._held or [], None
        return lost

    def _publish(self, event: Event) -> None:
        self.emitted.append(event)
        if self._held is None:
            self._hand_out(event)
        else:
            self._held.append(event)

    def _hand_out(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(event)

    def _event(
        self,
        vault: Vault,
        found: VaultCertificate | Secret,
        version: Version | SecretVersion,
        kind: Kind,
        object_type: ObjectType,
    ) -> Event:
        collection = {"Certificate": "certificates", "Secret": "secrets", "Key": "keys"}[object_type]
        return Event(
            id=str(UUID(int=self._kernel.random.getrandbits(128), version=4)),
            kind=kind,
            vault=vault.name,
            topic=vault.resource_id,
            object_type=object_type,
            object_name=found.name,
            version=version.id,
            url=f"{vault.url}/{collection}/{found.name}/{version.id}",
            not_before=version.not_before,
            not_after=version.not_after,
            time=self._kernel.clock.now(),
            shape=self.shape,
        )
