"""Read all settings from environment variables, check them, and report all problems at once.

A missing or bad setting does not stop Azure from indexing the functions. Instead each run raises SettingsInvalid.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.compliance.engine import ALL
from shared.compliance.rules import RULES
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress, parse_connection_string
from shared.domain.errors import SettingsInvalid
from shared.domain.fleet.vault_access import app_service, registration
from shared.domain.freeze import Freeze
from shared.domain.intent import Intent, Mode, Scope
from shared.domain.letter_case import lower_case, upper_case
from shared.domain.names import InvalidNameError, VaultName, parse_subscription, parse_vault_name
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.setting_values import parse_duration, parse_object_id, parse_switch
from shared.domain.spelling import SETTINGS_BEGIN, unknown_settings
from shared.schedules import SCHEDULES, Schedule, unresolved

STORAGE_SUFFIXES = {CloudName.PUBLIC: "windows.net", CloudName.US_GOVERNMENT: "usgovcloudapi.net"}
List = Annotated[tuple[str, ...], NoDecode]
Loaded = TypeVar("Loaded", bound="Connection")
Window = Annotated[RestartWindow | None, NoDecode]


class Connection(BaseSettings):
    """The settings by which Certroll reaches Azure.

    The settings that say how to reach Azure let Certroll start stopped apps even if other settings are bad.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    cloud: CloudName = Field(CloudName.PUBLIC, alias="CERTROLL_CLOUD")
    client_id: str | None = Field(None, alias="AZURE_CLIENT_ID")
    storage: str | None = Field(None, alias="AzureWebJobsStorage")
    storage_account: str | None = Field(None, alias="AzureWebJobsStorage__accountName")
    blob_uri: str | None = Field(None, alias="AzureWebJobsStorage__blobServiceUri")
    queue_uri: str | None = Field(None, alias="AzureWebJobsStorage__queueServiceUri")
    table_uri: str | None = Field(None, alias="AzureWebJobsStorage__tableServiceUri", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _blank_is_not_set(cls, given: object) -> object:
        """Return the given values without the blank settings that say how to reach Azure.

        Such a setting counts as not set: a blank AzureWebJobsStorage next to AzureWebJobsStorage__accountName is usual.
        """
        if not isinstance(given, dict):
            return given
        connecting = _aliases(Connection)
        return {name: value for name, value in given.items() if name not in connecting or str(value).strip()}

    @field_validator("storage")
    @classmethod
    def _storage_is_whole(cls, value: str | None) -> str | None:
        return None if value is None else parse_connection_string(value)

    @field_validator("cloud", mode="before")
    @classmethod
    def _lower_cloud(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("table_uri")
    @classmethod
    def _storage_is_named(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Raise ValueError if no storage account is set.

        Certroll reports a failed check of one field together with all other problems.
        """
        given = info.data
        if "storage" not in given:  # pydantic leaves out a field whose own check failed, and reports that check
            return value
        by_address = given.get("blob_uri") and given.get("queue_uri") and value
        if not (given.get("storage") or given.get("storage_account") or by_address):
            raise ValueError(
                "AzureWebJobsStorage: set it, or AzureWebJobsStorage__accountName, or all of AzureWebJobsStorage__"
                "blobServiceUri, __queueServiceUri and __tableServiceUri"
            )
        return value

    @property
    def storage_address(self) -> StorageAddress:
        """The address of the Function App's storage account."""
        host = f"https://{self.storage_account}.{{}}.core.{STORAGE_SUFFIXES[self.cloud]}"
        return StorageAddress(
            self.storage,
            self.blob_uri or host.format("blob"),
            self.queue_uri or host.format("queue"),
            self.table_uri or host.format("table"),
        )


class Settings(Connection):
    """All settings by which operators control Certroll. docs/reference/settings.md explains each setting."""

    vaults: List = Field(alias="CERTROLL_VAULTS")
    subscriptions: List = Field((), alias="CERTROLL_SUBSCRIPTIONS")
    mode: Mode = Field(Mode.OBSERVE, alias="CERTROLL_MODE")
    scope: Scope = Field(Scope.ALL, alias="CERTROLL_SCOPE")
    stage_soak: timedelta = Field(timedelta(hours=1), alias="CERTROLL_STAGE_SOAK")
    probe_settle: timedelta = Field(timedelta(seconds=120), alias="CERTROLL_PROBE_SETTLE")
    slots_first: bool = Field(default=True, alias="CERTROLL_SLOTS_FIRST")
    freeze: Annotated[Freeze | None, NoDecode] = Field(None, alias="CERTROLL_FREEZE")
    restart_window: Window = Field(None, alias="CERTROLL_RESTART_WINDOW")
    max_restarts: int = Field(1, alias="CERTROLL_MAX_RESTARTS", ge=1)
    ase_max_unavailable: Annotated[MaxUnavailable | None, NoDecode] = Field(None, alias="CERTROLL_ASE_MAX_UNAVAILABLE")
    delete_superseded: bool = Field(default=False, alias="CERTROLL_DELETE_SUPERSEDED")
    delete_grace: timedelta = Field(timedelta(days=30), alias="CERTROLL_DELETE_GRACE")
    max_deletes: int = Field(5, alias="CERTROLL_MAX_DELETES", ge=0)
    settings_reread: timedelta = Field(timedelta(hours=24), alias="CERTROLL_SETTINGS_REREAD")
    pfx_encryption: PfxEncryption = Field(PfxEncryption.TRIPLE_DES, alias="CERTROLL_PFX_ENCRYPTION")
    dns_servers: Annotated[tuple[DnsServer, ...], NoDecode] = Field((), alias="CERTROLL_DNS_SERVERS")
    no_waive: List = Field((), alias="CERTROLL_NO_WAIVE")
    order_actions: bool = Field(default=False, alias="CERTROLL_ORDER_ACTIONS")
    app_service_object_id: str | None = Field(None, alias="CERTROLL_APP_SERVICE_OBJECT_ID")
    registration_object_id: str | None = Field(None, alias="CERTROLL_REGISTRATION_OBJECT_ID")
    site_name: str | None = Field(None, alias="WEBSITE_SITE_NAME")
    owner_name: str | None = Field(None, alias="WEBSITE_OWNER_NAME")
    own_host: str | None = Field(None, alias="WEBSITE_HOSTNAME")

    @field_validator("vaults", "subscriptions", "no_waive", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("vaults")
    @classmethod
    def _vault_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one vault")
        return tuple(_named(parse_vault_name, name) for name in value)

    @field_validator("dns_servers", mode="before")
    @classmethod
    def _dns_servers(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(DnsServer.parse(part) for part in value.split(",") if part.strip())

    @field_validator("subscriptions")
    @classmethod
    def _subscription_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_named(parse_subscription, name) for name in value)

    @field_validator("no_waive")
    @classmethod
    def _rule_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Return the ids in capitals. A misspelled id would let a waiver count that somebody has ruled out."""
        ids = tuple(upper_case(name) for name in value)
        known = {rule.id for rule in RULES} | {ALL}
        if unknown := [name for name in ids if name not in known]:
            raise ValueError(f"{unknown[0][:20]!r} is no compliance rule; write ids such as CRT402, or all")
        return ids

    @field_validator("mode", "scope", "pfx_encryption", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("stage_soak", "probe_settle", "delete_grace", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return parse_duration(value) if isinstance(value, str) else value

    @field_validator("settings_reread", mode="before")
    @classmethod
    def _duration_or_zero(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return timedelta(0) if value.strip() == "0" else parse_duration(value)

    @field_validator("slots_first", "delete_superseded", "order_actions", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        return parse_switch(value) if isinstance(value, str) else value

    @field_validator("app_service_object_id", "registration_object_id")
    @classmethod
    def _object_id(cls, value: str | None) -> str | None:
        return None if value is None else parse_object_id(value)

    @field_validator("restart_window", mode="before")
    @classmethod
    def _window(cls, value: object) -> object:
        return RestartWindow.parse(value) if isinstance(value, str) else value

    @field_validator("freeze", mode="before")
    @classmethod
    def _freeze(cls, value: object) -> object:
        return Freeze.parse(value) if isinstance(value, str) else value

    @field_validator("ase_max_unavailable", mode="before")
    @classmethod
    def _max_unavailable(cls, value: object) -> object:
        return MaxUnavailable.parse(value) if isinstance(value, str) else value

    @property
    def intent(self) -> Intent:
        """The settings of operators in the form that the planner takes.

        WEBSITE_OWNER_NAME starts with the subscription of Certroll's own site, up to a plus sign. WEBSITE_HOSTNAME is
        the default host name, which no other app and no other slot has.
        """
        owner = lower_case((self.owner_name or "").partition("+")[0])
        return Intent(
            vaults=frozenset(VaultName(name) for name in self.vaults),
            subscriptions=self.subscriptions,
            mode=self.mode,
            scope=self.scope,
            stage_soak=self.stage_soak,
            own_site=lower_case(self.site_name or "") or None,
            installation=lower_case(self.own_host or self.site_name or ""),
            own_subscription=owner or None,
            probe_settle=self.probe_settle,
            slots_first=self.slots_first,
            freeze=self.freeze,
            restart_window=self.restart_window,
            max_restarts=self.max_restarts,
            ase_max_unavailable=self.ase_max_unavailable,
            delete_superseded=self.delete_superseded,
            delete_grace=self.delete_grace,
            max_deletes=self.max_deletes,
            settings_reread=self.settings_reread,
            no_waive=frozenset(self.no_waive),
            order_actions=self.order_actions,
            app_service=app_service(self.cloud, self.app_service_object_id),
            registration=registration(self.registration_object_id),
        )


def load_settings() -> Settings:
    """Return all settings. Raises SettingsInvalid, which names every problem and no secret value."""
    return _load(Settings)


def load_connection() -> Connection:
    """Return the settings by which Certroll reaches Azure.

    Raises SettingsInvalid if one of the settings for reaching Azure is bad.
    """
    return _load(Connection)


def _load(kind: type[Loaded]) -> Loaded:
    dangling = {name: problem for name in _aliases(kind) if (problem := unresolved(os.environ.get(name, "")))}
    problems = [f"{name}: {problem}" for name, problem in dangling.items()]
    try:
        loaded = kind()  # type: ignore[call-arg]  # pydantic fills the fields from environment variables
    except ValidationError as error:
        entries = (entry for entry in error.errors(include_input=False) if _name_of(entry) not in dangling)
        problems += [_problem(entry) for entry in entries]
        raise SettingsInvalid(tuple(problems)) from None
    if problems:
        raise SettingsInvalid(tuple(problems))
    return loaded


def _aliases(kind: type[Connection]) -> tuple[str, ...]:
    return tuple(str(field.alias) for field in kind.model_fields.values())


def _name_of(entry: ErrorDetails) -> str:
    return ".".join(str(part) for part in entry["loc"])


def timer_schedule(schedule: Schedule) -> tuple[str, str | None]:
    """Return when a timer runs, and why its setting was ignored, or None."""
    return schedule.read(os.environ.get(schedule.name, ""))


def strange_settings() -> tuple[tuple[str, str | None], ...]:
    """Return the settings that begin with CERTROLL_ and that Certroll does not know, each with the nearest known name.

    The nearest known name is None if no setting of Certroll is similar.
    """
    given = (name for name in os.environ if name.upper().startswith(SETTINGS_BEGIN))
    known = (str(field.alias) for field in Settings.model_fields.values())
    return unknown_settings(given, (name for name in (*known, *SCHEDULES) if name.startswith(SETTINGS_BEGIN)))


def _named(parse: Callable[[str], str], name: str) -> str:
    try:
        return str(parse(name))
    except InvalidNameError as error:
        raise ValueError(str(error)) from error


def _problem(entry: ErrorDetails) -> str:
    where = "" if "table" in str(entry["loc"]) else _name_of(entry)
    text = str(entry["msg"]).removeprefix("Value error, ")
    return f"{where}: {'it is not set' if entry['type'] == 'missing' else text}" if where else text
