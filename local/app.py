"""Run the local Azure, Azurite and the function app together on one machine."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from local.azure.eventgrid.event import Schema
from local.azure.eventgrid.storage_queue import StorageQueue
from local.azure.eventgrid.webhook import Webhook
from local.azure.principals import APP_SERVICE, REGISTRATION
from local.azure.scripting.clock import Clock
from local.azure.storage.account import StorageAccount
from local.azure.world import World
from local.azurite import Azurite
from local.deployment import deploy
from local.emulator import Emulator
from local.ending import Ended
from local.host import FunctionHost
from local.host.storage import create
from local.host.supervisor import ROOT
from local.installed import deployed_settings, storage_account
from local.instance import NOTED, UP, command
from local.process import kill_children, running_children
from local.stand import Stand
from local.variants import grants, variant_of

EVENT_FUNCTION = "vault_event"
EVENT_QUEUE = "events"
EVENT_TYPES = tuple(
    f"Microsoft.KeyVault.{name}"
    for name in (
        "CertificateNewVersionCreated",
        "CertificateNearExpiry",
        "CertificateExpired",
        "SecretNewVersionCreated",
    )
)
"""The events to which an installation subscribes: see docs/how-to/subscribe-to-events.md."""
Events = Literal["queue", "webhook"]
"""Where Event Grid delivers the events of the vaults: to the queue `events`, or to the webhook of `vault_event`."""
OWN_SITE = "certroll"
BUILD = ROOT / "build"


class LocalApp:
    """Start the local Azure, Azurite and the function app, and stop them in reverse order.

    The app has exactly the rights that its templates grant for its settings. `settings` are further app settings of the
    function app, and override its default settings.
    """

    def __init__(
        self,
        world: World | str = "contoso",
        settings: Mapping[str, str] | None = None,
        *,
        seed: int = 0,
        port: int = 0,
        app: Path = ROOT,
        logs: Path = BUILD,
        noted: Path = NOTED,
        host_app: bool = True,
        log_storage: bool = False,
        events: Events = "queue",
        schema: Schema = "CloudEvents",
        log_telemetry: bool = False,
    ) -> None:
        """Prepare the local Azure without starting it.

        If `world` is the name of a simulated fleet, the clock of the simulated Azure follows real time. With
        `host_app=False` another host, such as `func start`, runs the app. With `log_storage` the log of Azurite has a
        line for each request. With `log_telemetry` the file telemetry.jsonl next to the logs has the rows that the host
        of Azure sends to Application Insights.

        `noted` is the file by which commands for a person name this local Azure. `events` and `schema` say where and in
        which form Event Grid delivers the events of the vaults.
        """
        self._variant = variant_of(settings or {})
        rights = grants(self._variant)
        self.stand = Stand(World(Clock.real()) if isinstance(world, str) else world, rights=rights)
        self.telemetry = logs / "telemetry.jsonl"
        self._logs = (logs / "azurite.log", logs / "host.log", self.telemetry)
        self._telemetry = self.telemetry if log_telemetry else None
        self._account_id = storage_account(self._variant)
        account = self._account_id.rpartition("/")[2]
        self.azurite = Azurite(self._logs[0], requests=log_storage, account=account, tokens=True)
        self.host: FunctionHost | None = None
        self._world_name = world if isinstance(world, str) else None
        self._seed = seed
        self._settings = dict(settings or {})
        self._port = port
        self._app = app
        self._noted = noted
        self._host_app = host_app
        self._events: Events = events
        self._schema: Schema = schema
        self._closing = ExitStack()
        self._older = running_children()

    def __enter__(self) -> Self:
        """Start every part of the system, and deliver later events of the vaults to the app."""
        for log in self._logs:
            log.unlink(missing_ok=True)
        with ExitStack() as started:
            started.enter_context(self.stand)
            if self._world_name is not None:
                self.stand.seed(self._world_name, self._seed)
                if self.stand.world.vaults:
                    deploy(self.stand.world, variant_of(self._settings))
            started.enter_context(self.azurite)
            emulator = started.enter_context(closing(Emulator(self.azurite)))
            self.stand.add_storage(StorageAccount(self._account_id, emulator.send))
            if self._host_app:
                settings, log = self.app_settings(), self._logs[1]
                self.host = FunctionHost(self._app, settings, log=log, port=self._port, telemetry=self._telemetry)
                started.enter_context(self.host)
            self.subscribe()
            self.stand.pin(
                "The function app runs with the vaults, the ids and the records of this world. "
                f"Press Ctrl-C in its terminal, then run: {command(f'{UP} --world {{name}}', self._noted)}"
            )
            self._closing = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the function app first, because the app needs the local Azure, and then all other parts.

        If a person ends the block by Ctrl-C, the runs of the app end at once.
        """
        if kind is not None and issubclass(kind, Ended):
            kill_children(self._older)
        self._closing.close()

    def subscribe(self) -> None:
        """Deliver later events of the vaults to the app, as the subscription of each vault does.

        A host other than the local one gets no events by its webhook, whose address is unknown.
        """
        if self._events == "queue":
            destination = StorageQueue(self.azurite.connection_string, EVENT_QUEUE, options=self.azurite.trust)
            with destination.client() as queue:
                create(queue)
            self.stand.subscribe(destination, self._schema, EVENT_TYPES)
        elif self.host is not None:
            self.stand.subscribe(Webhook(self.host.webhook(EVENT_FUNCTION)), self._schema, EVENT_TYPES)

    def app_settings(self) -> dict[str, str]:
        """Return the app settings of the function app: those of its templates, on the places of the simulated fleet."""
        world = self.stand.world
        subscription = next(iter(world.subscriptions), "00000000-0000-0000-0000-000000000000")
        return {
            **deployed_settings(self._variant),
            "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.25",
            "CERTROLL_VAULTS": ",".join(vault.name for vault in world.vaults.values()),
            "CERTROLL_SUBSCRIPTIONS": ",".join(world.subscriptions),
            "CERTROLL_DNS_SERVERS": self.stand.dns.address,
            "CERTROLL_APP_SERVICE_OBJECT_ID": world.object_id(APP_SERVICE),
            "CERTROLL_REGISTRATION_OBJECT_ID": world.object_id(REGISTRATION),
            "CERTROLL_SWEEP_SCHEDULE": "0 0 3 * * *",
            "WEBSITE_OWNER_NAME": f"{subscription}+certroll-WestEuropewebspace-Linux",
            "WEBSITE_SITE_NAME": OWN_SITE,
            **self.stand.environment(),
            **self._settings,
        }

    def environment(self) -> dict[str, str]:
        """Return the environment variables with which a program of a person reaches the local Azure."""
        variables = {
            **self.stand.environment_of_person(),
            "AZURE_STORAGE_ACCOUNT": self.azurite.account,
            "AZURE_STORAGE_CONNECTION_STRING": self.azurite.connection_string,
            "LOCAL_CONTROL_URL": self.stand.control.url,
        }
        if self.host is None:
            return variables
        keys = self.host.ready
        return variables | {
            "LOCAL_FUNCTIONS_URL": self.host.url,
            "LOCAL_FUNCTIONS_KEY": keys.function_key,
            "LOCAL_FUNCTIONS_MASTER_KEY": keys.master_key,
        }

    def environment_of_app(self) -> dict[str, str]:
        """Return the environment variables of the function app for another host, such as `func start`.

        The result is empty if the local host runs the app.
        """
        if self.host is not None:
            return {}
        return self.app_settings() | self.environment() | self.stand.identity()
