"""Test how Certroll reads the operator's settings, and what it reports about wrong settings."""

from datetime import timedelta
from typing import cast

import pytest
from azure.core.credentials import TokenCredential

from shared.clients.storage import accounts
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress
from shared.domain.errors import SettingsInvalid
from shared.domain.fleet.vault_access import app_service, registration
from shared.domain.freeze import Freeze
from shared.domain.intent import Intent, Mode, Scope
from shared.domain.names import SiteRef, VaultName
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.setting_values import parse_duration
from shared.schedules import HOURLY, SWEEP_SCHEDULE
from shared.settings import Settings, load_settings, strange_settings, timer_schedule
from tests.build import SUBSCRIPTION, VAULT, site_ref

OBJECT_ID = "8f1e2d3c-0000-0000-0000-000000000001"
STORAGE = "DefaultEndpointsProtocol=https;AccountName=certroll;AccountKey=c2VjcmV0"
NAMES = [
    "CERTROLL_VAULTS",
    "CERTROLL_SUBSCRIPTIONS",
    "CERTROLL_MODE",
    "CERTROLL_SCOPE",
    "CERTROLL_STAGE_SOAK",
    "CERTROLL_PROBE_SETTLE",
    "CERTROLL_SLOTS_FIRST",
    "CERTROLL_FREEZE",
    "CERTROLL_RESTART_WINDOW",
    "CERTROLL_MAX_RESTARTS",
    "CERTROLL_ASE_MAX_UNAVAILABLE",
    "CERTROLL_DELETE_SUPERSEDED",
    "CERTROLL_DELETE_GRACE",
    "CERTROLL_MAX_DELETES",
    "CERTROLL_SETTINGS_REREAD",
    "CERTROLL_PFX_ENCRYPTION",
    "CERTROLL_ORDER_ACTIONS",
    "CERTROLL_APP_SERVICE_OBJECT_ID",
    "CERTROLL_REGISTRATION_OBJECT_ID",
    "CERTROLL_CLOUD",
    "CERTROLL_SWEEP_SCHEDULE",
    "AZURE_CLIENT_ID",
    "WEBSITE_SITE_NAME",
    "WEBSITE_OWNER_NAME",
    "WEBSITE_HOSTNAME",
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
]
ENOUGH = {"CERTROLL_VAULTS": "kv-shop", "AzureWebJobsStorage": STORAGE}
NO_STORAGE = (
    "AzureWebJobsStorage: set it, or AzureWebJobsStorage__accountName, or all of "
    "AzureWebJobsStorage__blobServiceUri, __queueServiceUri and __tableServiceUri"
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def settings(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    """Return the settings that Certroll reads from the required environment variables and these changes."""
    for name, value in {**ENOUGH, **changes}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def problems(monkeypatch: pytest.MonkeyPatch, **changes: str) -> tuple[str, ...]:
    """Return the problems that Certroll reports for the required environment variables and these changes."""
    with pytest.raises(SettingsInvalid) as caught:
        settings(monkeypatch, **changes)
    return caught.value.problems


def test_little_needs_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll with only vaults and storage set plans for everything that it can see, and writes nothing."""
    found = settings(monkeypatch)
    assert found.intent == Intent(
        vaults=frozenset({VAULT}),
        subscriptions=(),
        mode=Mode.OBSERVE,
        scope=Scope.ALL,
        stage_soak=timedelta(hours=1),
        probe_settle=timedelta(minutes=2),
        slots_first=True,
        freeze=None,
        restart_window=None,
        max_restarts=1,
    )
    assert (found.cloud, found.pfx_encryption) == (CloudName.PUBLIC, PfxEncryption.TRIPLE_DES)


def test_everything_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll ignores blanks in lists and the letter case of words in settings, and accepts resource ids of vaults."""
    vault_id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/KV-Two"
    found = settings(
        monkeypatch,
        CERTROLL_VAULTS=f" KV-Shop , ,{vault_id},",
        CERTROLL_SUBSCRIPTIONS=f" {SUBSCRIPTION.upper()} ",
        CERTROLL_MODE=" Apply ",
        CERTROLL_SCOPE=" Tagged ",
        CERTROLL_STAGE_SOAK=" 15 M ",
        CERTROLL_PROBE_SETTLE="0s",
        CERTROLL_SLOTS_FIRST=" OFF ",
        CERTROLL_FREEZE=" 2027-11-25/2027-12-01 ; 2027-12-24/2028-01-02",
        CERTROLL_RESTART_WINDOW="sat 22:00-04:00",
        CERTROLL_MAX_RESTARTS=" 12 ",
        CERTROLL_ASE_MAX_UNAVAILABLE=" 25 % ",
        CERTROLL_DELETE_SUPERSEDED="On",
        CERTROLL_DELETE_GRACE="14d",
        CERTROLL_MAX_DELETES="0",
        CERTROLL_SETTINGS_REREAD=" 0 ",
        CERTROLL_PFX_ENCRYPTION=" AES256 ",
        CERTROLL_DNS_SERVERS=" 10.0.0.4 , 9.9.9.9:5353,[2620:fe::fe]:53, 2620:fe::9 ,",
        CERTROLL_ORDER_ACTIONS="ON",
        CERTROLL_APP_SERVICE_OBJECT_ID=f" {OBJECT_ID.upper()} ",
        CERTROLL_REGISTRATION_OBJECT_ID=OBJECT_ID,
        CERTROLL_CLOUD="USGov",
        AZURE_CLIENT_ID="client",
    )
    assert found.intent == Intent(
        vaults=frozenset({VAULT, VaultName("kv-two")}),
        subscriptions=(SUBSCRIPTION,),
        mode=Mode.APPLY,
        scope=Scope.TAGGED,
        stage_soak=timedelta(minutes=15),
        probe_settle=timedelta(0),
        slots_first=False,
        freeze=Freeze.parse("2027-11-25/2027-12-01, 2027-12-24/2028-01-02"),
        restart_window=RestartWindow.parse("Sat 22:00-04:00"),
        max_restarts=12,
        ase_max_unavailable=MaxUnavailable(25, percent=True),
        delete_superseded=True,
        delete_grace=timedelta(days=14),
        max_deletes=0,
        settings_reread=timedelta(0),
        order_actions=True,
        app_service=app_service(CloudName.US_GOVERNMENT, OBJECT_ID),
        registration=registration(OBJECT_ID),
    )
    assert (found.cloud, found.client_id) == (CloudName.US_GOVERNMENT, "client")
    assert found.pfx_encryption is PfxEncryption.AES256
    assert found.dns_servers == (
        DnsServer("10.0.0.4", 53),
        DnsServer("9.9.9.9", 5353),
        DnsServer("2620:fe::fe", 53),
        DnsServer("2620:fe::9", 53),
    )


def test_empty_settings_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a setting's value is empty, as in templates, Certroll uses the default of the setting."""
    found = settings(monkeypatch, **dict.fromkeys(set(NAMES) - set(ENOUGH), ""))
    assert found == settings(monkeypatch)


@pytest.mark.parametrize(
    ("text", "on"),
    [("on", True), ("True", True), ("1", True), ("Off", False), ("FALSE", False), ("0", False)],
)
def test_switch_is_understood_in_the_usual_words(monkeypatch: pytest.MonkeyPatch, text: str, on: bool) -> None:  # noqa: FBT001
    """Certroll reads on, true and 1 as on, and off, false and 0 as off, in any case."""
    assert settings(monkeypatch, CERTROLL_SLOTS_FIRST=text).intent.slots_first is on


def test_no_app_of_an_environment_is_stopped_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll may stop no app of an environment without a limit or with an empty limit."""
    assert settings(monkeypatch).intent.ase_max_unavailable is None
    assert settings(monkeypatch, CERTROLL_ASE_MAX_UNAVAILABLE="").intent.ase_max_unavailable is None


@pytest.mark.parametrize(
    ("text", "most"),
    [("3", MaxUnavailable(3)), ("25%", MaxUnavailable(25, percent=True)), ("100%", MaxUnavailable(100, percent=True))],
)
def test_limit_of_an_environment_is_a_number_or_a_share(
    monkeypatch: pytest.MonkeyPatch, text: str, most: MaxUnavailable
) -> None:
    """The limit of an environment is a number of apps or a percentage of its apps."""
    assert settings(monkeypatch, CERTROLL_ASE_MAX_UNAVAILABLE=text).intent.ase_max_unavailable == most


@pytest.mark.parametrize("text", [" ", "0", "0%", "101%", "-1", "x", "1.5", "half", "3 apps"])
def test_bad_limit_of_an_environment_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Certroll reports an invalid limit of an environment, and says how to write a limit."""
    remedy = "write how many apps may be down at once as a number from 1, or as a percentage: 1% to 100%"
    found = problems(monkeypatch, CERTROLL_ASE_MAX_UNAVAILABLE=text)
    assert found == (f"CERTROLL_ASE_MAX_UNAVAILABLE: {remedy}",)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"WEBSITE_HOSTNAME": "Certroll-Staging.azurewebsites.net", "WEBSITE_SITE_NAME": "Certroll"}, None),
        ({"WEBSITE_SITE_NAME": "Certroll"}, "certroll"),
        ({}, ""),
    ],
)
def test_installation_has_a_name_of_its_own(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], name: str | None
) -> None:
    """Another installation knows this one by the default host name, which not even a slot of the same app has."""
    expected = "certroll-staging.azurewebsites.net" if name is None else name
    assert settings(monkeypatch, **given).intent.installation == expected


def test_own_site_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll recognises its own site and slots, and not a site with the same name in another subscription."""
    owner = f"{SUBSCRIPTION.upper()}+rg-web-WestEuropewebspace-Linux"
    intent = settings(monkeypatch, WEBSITE_SITE_NAME="Shop", WEBSITE_OWNER_NAME=owner).intent
    assert intent.owns(site_ref("shop"))
    assert intent.owns(site_ref("shop", "staging"))
    assert not intent.owns(site_ref("other"))
    assert not intent.owns(SiteRef(SUBSCRIPTION[:-1] + "b", "rg-web", "shop"))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        pytest.param("CERTROLL_VAULTS", "", "CERTROLL_VAULTS: it is not set", id="no vaults"),
        pytest.param("CERTROLL_VAULTS", " , ", "CERTROLL_VAULTS: name at least one vault", id="a list of nothing"),
        pytest.param(
            "CERTROLL_VAULTS",
            "kv-shop,https://kv.vault.azure.net",
            "CERTROLL_VAULTS: 'https://kv.vault.azure.net' is not a Key Vault name or resource id",
            id="a vault's URL",
        ),
        pytest.param(
            "CERTROLL_SUBSCRIPTIONS",
            "Production",
            "CERTROLL_SUBSCRIPTIONS: 'production' is not a subscription id",
            id="a subscription's display name",
        ),
        pytest.param(
            "CERTROLL_MODE", "on", "CERTROLL_MODE: Input should be 'observe' or 'apply'", id="an unknown mode"
        ),
        pytest.param(
            "CERTROLL_FREEZE",
            "25.11.2027/01.12.2027",
            "CERTROLL_FREEZE: '25.11.2027' is no date of the form YYYY-MM-DD or YYYY-MM-DDTHH:MM; write intervals in "
            "UTC: 2027-11-25/2027-12-01, 2027-12-20T18:00/2028-01-03T06:00",
            id="a freeze that cannot be read",
        ),
        pytest.param(
            "CERTROLL_SCOPE", "some", "CERTROLL_SCOPE: Input should be 'all' or 'tagged'", id="an unknown scope"
        ),
        pytest.param(
            "CERTROLL_CLOUD", "china", "CERTROLL_CLOUD: Input should be 'public' or 'usgov'", id="an unknown cloud"
        ),
        pytest.param(
            "CERTROLL_STAGE_SOAK",
            "an hour",
            "CERTROLL_STAGE_SOAK: write a duration as a number with its unit: 90s, 15m, 1h or 2d",
            id="a duration in words",
        ),
        pytest.param(
            "CERTROLL_PROBE_SETTLE",
            "120",
            "CERTROLL_PROBE_SETTLE: write a duration as a number with its unit: 90s, 15m, 1h or 2d",
            id="a duration without its unit",
        ),
        pytest.param("CERTROLL_SLOTS_FIRST", "yes", "CERTROLL_SLOTS_FIRST: write on or off", id="another word for on"),
        pytest.param(
            "CERTROLL_RESTART_WINDOW",
            "Sat 22:00",
            "CERTROLL_RESTART_WINDOW: 'Sat 22:00' is not days before a start and an end; write days, then times in "
            "UTC: Sat,Sun 22:00-04:00; Wed 01:00-03:00",
            id="a window without an end",
        ),
        pytest.param(
            "CERTROLL_RESTART_WINDOW",
            " ",
            "CERTROLL_RESTART_WINDOW: there is no window; write days, then times in UTC: Sat,Sun 22:00-04:00; "
            "Wed 01:00-03:00",
            id="a blank window",
        ),
        pytest.param(
            "CERTROLL_MAX_RESTARTS",
            "0",
            "CERTROLL_MAX_RESTARTS: Input should be greater than or equal to 1",
            id="no restarts at all",
        ),
        pytest.param(
            "CERTROLL_MAX_RESTARTS",
            "half",
            "CERTROLL_MAX_RESTARTS: Input should be a valid integer, unable to parse string as an integer",
            id="restarts in words",
        ),
        pytest.param(
            "CERTROLL_DNS_SERVERS",
            "10.0.0.4,dns.google",
            "CERTROLL_DNS_SERVERS: 'dns.google' is no name server: write its address, or address and port: 10.0.0.4:53",
            id="a name server by its name",
        ),
        pytest.param(
            "CERTROLL_DNS_SERVERS",
            "10.0.0.4:99999",
            "CERTROLL_DNS_SERVERS: '10.0.0.4:99999' is no name server: write its address, or address and port: "
            "10.0.0.4:53",
            id="a port that there is not",
        ),
        pytest.param(
            "CERTROLL_ORDER_ACTIONS",
            "renew",
            "CERTROLL_ORDER_ACTIONS: write on or off",
            id="money is spent by an exact word only",
        ),
        pytest.param(
            "CERTROLL_APP_SERVICE_OBJECT_ID",
            "Microsoft Azure App Service",
            "CERTROLL_APP_SERVICE_OBJECT_ID: give an object id, "
            "as `az ad sp show --id APPLICATION --query id -o tsv` prints it",
            id="a service by its name",
        ),
        pytest.param(
            "CERTROLL_REGISTRATION_OBJECT_ID",
            "F3C21649-0979-4721-ac85-b0216b2cf413",
            "CERTROLL_REGISTRATION_OBJECT_ID: this is the application id; "
            "`az ad sp show --id` with it prints the object id",
            id="the application id in place of the object id",
        ),
        pytest.param(
            "CERTROLL_PFX_ENCRYPTION",
            "des",
            "CERTROLL_PFX_ENCRYPTION: Input should be '3des' or 'aes256'",
            id="an unknown encryption",
        ),
    ],
)
def test_bad_setting_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """Certroll reports a missing or impossible setting by its name, and says how to write the setting."""
    assert problems(monkeypatch, **{name: value}) == (problem,)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll reports all bad settings at once."""
    found = problems(
        monkeypatch,
        CERTROLL_VAULTS="",
        CERTROLL_SUBSCRIPTIONS="x",
        CERTROLL_MODE="on",
        CERTROLL_STAGE_SOAK="1",
        CERTROLL_CLOUD="mars",
        AzureWebJobsStorage="",
    )
    assert sorted(problem.partition(":")[0] for problem in found) == [
        "AzureWebJobsStorage",
        "CERTROLL_CLOUD",
        "CERTROLL_MODE",
        "CERTROLL_STAGE_SOAK",
        "CERTROLL_SUBSCRIPTIONS",
        "CERTROLL_VAULTS",
    ]


def test_complaint_tells_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll shows the storage account's key in no message about wrong settings."""
    with pytest.raises(SettingsInvalid) as caught:
        settings(monkeypatch, CERTROLL_MODE="on", CERTROLL_VAULTS="")
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("given", "address"),
    [
        pytest.param(
            {"AzureWebJobsStorage__accountName": "acct"},
            (
                "https://acct.blob.core.windows.net",
                "https://acct.queue.core.windows.net",
                "https://acct.table.core.windows.net",
            ),
            id="by its name",
        ),
        pytest.param(
            {"AzureWebJobsStorage__accountName": "acct", "CERTROLL_CLOUD": "usgov"},
            (
                "https://acct.blob.core.usgovcloudapi.net",
                "https://acct.queue.core.usgovcloudapi.net",
                "https://acct.table.core.usgovcloudapi.net",
            ),
            id="by its name, in US Government",
        ),
        pytest.param(
            {
                "AzureWebJobsStorage__blobServiceUri": "https://b",
                "AzureWebJobsStorage__queueServiceUri": "https://q",
                "AzureWebJobsStorage__tableServiceUri": "https://t",
            },
            ("https://b", "https://q", "https://t"),
            id="by the addresses of its services",
        ),
    ],
)
def test_storage_is_reached_with_the_identity(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], address: tuple[str, str, str]
) -> None:
    """Without a connection string, Certroll finds the storage services by account name or by their addresses."""
    found = settings(monkeypatch, AzureWebJobsStorage="", **given).storage_address
    assert found == StorageAddress(None, *address)


def test_connection_string_is_kept_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll passes a connection string on unchanged."""
    assert settings(monkeypatch).storage_address.connection_string == STORAGE


@pytest.mark.parametrize(
    "services",
    [("queue", "table"), ("blob", "table"), ("blob", "queue"), ()],
    ids=["no blobs", "no queues", "no tables", "nothing"],
)
def test_storage_needs_all_its_services(monkeypatch: pytest.MonkeyPatch, services: tuple[str, ...]) -> None:
    """Certroll reports which setting to add if it has no storage, or only two of the three storage addresses."""
    given = {f"AzureWebJobsStorage__{service}ServiceUri": "https://s" for service in services}
    assert problems(monkeypatch, AzureWebJobsStorage="", **given) == (NO_STORAGE,)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("2D", timedelta(days=2)),
        ("0s", timedelta(0)),
    ],
)
def test_duration_is_a_number_with_its_unit(text: str, duration: timedelta) -> None:
    """Certroll reads durations in seconds, minutes, hours and days."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1h30m", "1w", "9999999d"])
def test_other_durations_are_refused(text: str) -> None:
    """Certroll refuses a duration that is negative, mixed or without a unit, and gives an example."""
    with pytest.raises(ValueError, match="a number with its unit: 90s, 15m, 1h or 2d"):
        parse_duration(text)


@pytest.mark.parametrize(
    "schedule",
    ["0 0 * * * *", "0 */15 * * * *", "30 0 6-18/2 * * Mon-Fri", "0 0 3 1,15 JAN *", "*/10 * * * * *"],
)
def test_possible_schedule_is_used(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    """Certroll gives the Functions host a schedule unchanged if the host understands the schedule."""
    monkeypatch.setenv("CERTROLL_SWEEP_SCHEDULE", f" {schedule} ")
    assert timer_schedule(SWEEP_SCHEDULE) == (schedule, None)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_sweep_is_hourly_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Certroll sweeps every hour without a schedule in its settings, and reports no problem."""
    if value is not None:
        monkeypatch.setenv("CERTROLL_SWEEP_SCHEDULE", value)
    assert timer_schedule(SWEEP_SCHEDULE) == ("0 0 * * * *", None)


@pytest.mark.parametrize(
    "schedule",
    [
        pytest.param("0 * * * *", id="five fields"),
        pytest.param("0 0 * * * * *", id="seven fields"),
        pytest.param("1.00:00:00", id="a time span"),
        pytest.param("0 0 0 L * *", id="the last day"),
        pytest.param("0 0 0 l * *", id="the last day in lower case"),
        pytest.param("0 0 0 ? * *", id="a question mark"),
        pytest.param("0 0 0 * * 1#2", id="the second Monday"),
        pytest.param("0 0 0 15W * *", id="the nearest weekday"),
        pytest.param("R 0 0 * * *", id="a random second"),
        pytest.param("0 0 0 * * 7", id="an eighth day of the week"),
        pytest.param("@hourly", id="a nickname"),
        pytest.param("60 0 * * * *", id="a sixtieth second"),
        pytest.param("0 */0 * * * *", id="a step of nothing"),
        pytest.param("%SCHEDULE% 0 0 0 0 0", id="a reference"),
        pytest.param("0 0 0 31 2 *", id="a day that never comes"),
    ],
)
def test_impossible_schedule_falls_back_to_hourly(monkeypatch: pytest.MonkeyPatch, schedule: str) -> None:
    """Certroll ignores a schedule that would stop the Functions host, sweeps hourly, and reports the problem."""
    monkeypatch.setenv("CERTROLL_SWEEP_SCHEDULE", schedule)
    used, problem = timer_schedule(SWEEP_SCHEDULE)
    assert used == HOURLY
    assert problem in {
        f"CERTROLL_SWEEP_SCHEDULE: {schedule!r} is not an NCRONTAB schedule; Certroll sweeps hourly",
        f"CERTROLL_SWEEP_SCHEDULE: {schedule!r} never comes, as 31 February; Certroll sweeps hourly",
        (
            "CERTROLL_SWEEP_SCHEDULE: give six fields of digits, names of months and days, and * , - / only, "
            "as in '0 0 * * * *'; Certroll sweeps hourly"
        ),
    }


def test_settings_that_nobody_reads_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that begins with CERTROLL_ and that Certroll does not read is told with the nearest known name."""
    assert strange_settings() == ()
    settings(monkeypatch, CERTROLL_MODE="apply", CERTROLL_SWEEP_SCHEDULE="0 0 * * * *", certroll_max_deletes="3")
    assert strange_settings() == ()
    settings(monkeypatch, CERTROLL_MOD="apply", CERTROLL_RESTART_WINDOWS="Sat 1:00-2:00", CERTROL_MODE="apply")
    assert strange_settings() == (
        ("CERTROLL_MOD", "CERTROLL_MODE"),
        ("CERTROLL_RESTART_WINDOWS", "CERTROLL_RESTART_WINDOW"),
    )


KEY_VAULT = "@Microsoft.KeyVault(VaultName=kv-shop;SecretName=storage)"
APP_CONFIGURATION = "@Microsoft.AppConfiguration(Endpoint=https://x.azconfig.io; Key=storage)"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(KEY_VAULT, "could not resolve the reference to Key Vault", id="a vault's secret"),
        pytest.param(f" {KEY_VAULT.lower()} ", "could not resolve the reference to Key Vault", id="in lower case"),
        pytest.param(APP_CONFIGURATION, "could not resolve the reference to App Configuration", id="a configuration"),
        pytest.param("secret", "it is no connection string: part 1 of 1 has no '='", id="a word"),
        pytest.param("AccountName=a;accountname=b", "part 2 of 2 has no '=', or a name that came", id="a name twice"),
        pytest.param("DefaultEndpointsProtocol=https;AccountNa", "part 2 of 2 has no '='", id="cut in a name"),
        pytest.param("DefaultEndpointsProtocol=https;AccountKey=c2VjcmV0", "has no AccountName", id="no account"),
        pytest.param("AccountName=a;AccountName=b;AccountKey=c2VjcmV0", "part 2 of 3", id="two accounts"),
        pytest.param(
            "AccountName=secret", "the AccountKey of the connection string is missing", id="cut before the key"
        ),
        pytest.param("AccountName=a;AccountKey=c2Vjc", "is not base64", id="cut in the key"),
        pytest.param("AccountName=a;AccountKey=c2V\u00fc", "is not base64", id="a key beyond ASCII"),
        pytest.param("=;=", "part 2 of 2", id="no names"),
    ],
)
def test_connection_string_that_cannot_work_is_named(monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    """A connection string that cannot work is a problem of its setting, and no part of the string is shown."""
    (found,) = problems(monkeypatch, AzureWebJobsStorage=text)
    assert found.startswith("AzureWebJobsStorage: ")
    assert problem in found
    assert "c2V" not in found
    assert "secret" not in found


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CERTROLL_SWEEP_SCHEDULE"])
@pytest.mark.parametrize("text", [KEY_VAULT, APP_CONFIGURATION], ids=["Key Vault", "App Configuration"])
def test_unresolved_reference_is_named_once(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A setting that App Service left as the text of a reference is one problem, whatever the setting is."""
    (found,) = problems(monkeypatch, **{name: text})
    assert found.startswith(f"{name}: App Service could not resolve the reference to ")


def test_unresolved_schedule_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that App Service left as the text of a reference is ignored, and the sweep runs hourly."""
    monkeypatch.setenv("CERTROLL_SWEEP_SCHEDULE", KEY_VAULT)
    schedule, problem = timer_schedule(SWEEP_SCHEDULE)
    assert (schedule, "could not resolve" in str(problem)) == (HOURLY, True)


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_blank_connection_string_beside_an_account_is_not_set(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    """A blank connection string next to the name of the account counts as not set, and the identity is used."""
    found = settings(monkeypatch, AzureWebJobsStorage=blank, AzureWebJobsStorage__accountName="acct")
    assert found.storage_address.connection_string is None
    assert found.storage_address.blob_uri == "https://acct.blob.core.windows.net"
    assert problems(monkeypatch, AzureWebJobsStorage=blank, AzureWebJobsStorage__accountName=blank) == (NO_STORAGE,)


@pytest.mark.parametrize(
    "text",
    [
        "UseDevelopmentStorage=true",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net;",
        "BlobEndpoint=https://a;QueueEndpoint=https://b;TableEndpoint=https://c;SharedAccessSignature=sv=1&sig=x%3D",
    ],
)
def test_good_connection_string_makes_clients(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Each connection string that Certroll accepts makes the clients of all three storage services."""
    address = settings(monkeypatch, AzureWebJobsStorage=text).storage_address
    for service in (accounts.blob_service, accounts.queue_service, accounts.table_service):
        assert service(address, cast("TokenCredential", None))


@pytest.mark.parametrize("address", [StorageAddress("geheim"), StorageAddress("", "http://[x", "", "")])
def test_address_that_the_sdk_refuses_is_a_bad_setting(address: StorageAddress) -> None:
    """An address of storage that the Azure SDK refuses is a bad setting, and the error quotes no part of it."""
    with pytest.raises(SettingsInvalid, match="AzureWebJobsStorage") as caught:
        accounts.blob_service(address, cast("TokenCredential", None))
    assert "geheim" not in str(caught.value)
