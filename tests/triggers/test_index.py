"""Run the real app in Microsoft's runtime, and check its functions and its errors for wrong settings."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from local.azurite import Azurite
from local.host import FunctionHost, inspect
from local.host.functions import Outcome
from local.patience import HANG
from shared.schedules import COMPLIANCE_SCHEDULE, SWEEP_SCHEDULE
from shared.settings import Settings
from tests.triggers.app import (
    CERTIFICATE,
    ENVIRONMENT,
    POLLING,
    ROOT,
    SITE,
    SWEEP,
    Storage,
    event_call,
    eventually,
    queue_call,
    timer_call,
)

RELEASE = "holds/{vault}/{name}/release"
DEAD_LETTER = "dead-letters/{queue}/{key}"
ROUTE = f"{DEAD_LETTER}/replay"
STORAGE = "AzureWebJobsStorage"
CYCLE = "environments/{group}/{name}/stop-start"
STOPPED_AND_STARTED = f"{CYCLE}-done"
CONNECTION = (STORAGE, "CERTROLL_CLOUD")
HOURLY = "0 0 * * * *"
EVERY_MINUTE = "0 * * * * *"
TRIGGERS = {
    "vault_event": {"type": "eventGridTrigger"},
    "events_queue": {"type": "queueTrigger", "queueName": "events", "connection": STORAGE},
    "events_poison": {"type": "queueTrigger", "queueName": "events-poison", "connection": STORAGE},
    "certificates_queue": {"type": "queueTrigger", "queueName": "certificates", "connection": STORAGE},
    "sweeps_queue": {"type": "queueTrigger", "queueName": "sweeps", "connection": STORAGE},
    "sweeps_poison": {"type": "queueTrigger", "queueName": "sweeps-poison", "connection": STORAGE},
    "sites_queue": {"type": "queueTrigger", "queueName": "sites", "connection": STORAGE},
    "environments_queue": {"type": "queueTrigger", "queueName": "environments", "connection": STORAGE},
    "certificates_poison": {"type": "queueTrigger", "queueName": "certificates-poison", "connection": STORAGE},
    "sites_poison": {"type": "queueTrigger", "queueName": "sites-poison", "connection": STORAGE},
    "environments_poison": {"type": "queueTrigger", "queueName": "environments-poison", "connection": STORAGE},
    "environment_was_cycled": {
        "type": "httpTrigger",
        "route": STOPPED_AND_STARTED,
        "methods": ["POST"],
        "authLevel": "FUNCTION",
    },
    "cycle_environment": {"type": "httpTrigger", "route": CYCLE, "methods": ["POST"], "authLevel": "FUNCTION"},
    "replay_poisoned": {"type": "httpTrigger", "route": ROUTE, "methods": ["POST"], "authLevel": "FUNCTION"},
    "remove_poisoned": {"type": "httpTrigger", "route": DEAD_LETTER, "methods": ["DELETE"], "authLevel": "FUNCTION"},
    "release_hold": {"type": "httpTrigger", "route": RELEASE, "methods": ["POST"], "authLevel": "FUNCTION"},
    "sweep_timer": {"type": "timerTrigger", "schedule": HOURLY, "useMonitor": True},
    "compliance_timer": {"type": "timerTrigger", "schedule": COMPLIANCE_SCHEDULE.default, "useMonitor": True},
    "starts_timer": {"type": "timerTrigger", "schedule": EVERY_MINUTE, "useMonitor": False},
}
CALLS = (
    event_call("{}"),
    queue_call("events_queue", "{}"),
    queue_call("events_poison", "{}"),
    queue_call("certificates_queue", CERTIFICATE),
    queue_call("sites_queue", SITE),
    queue_call("environments_queue", ENVIRONMENT),
    queue_call("sweeps_queue", SWEEP),
    queue_call("sweeps_poison", SWEEP),
    queue_call("certificates_poison", CERTIFICATE),
    queue_call("sites_poison", SITE),
    queue_call("environments_poison", ENVIRONMENT),
    timer_call("sweep_timer"),
    timer_call("compliance_timer"),
    timer_call("starts_timer"),
)
TIMERS = ("sweep_timer", "compliance_timer", "starts_timer")
INVOKED = tuple(call.function for call in CALLS)
KEY = base64.b64encode(b"the secret key of the account").decode()
BAD = {
    "CERTROLL_VAULTS": "https://kv.vault.azure.net",
    "CERTROLL_SUBSCRIPTIONS": "Production",
    "CERTROLL_MODE": "on",
    "CERTROLL_SCOPE": "some",
    "CERTROLL_FREEZE": "Christmas",
    "CERTROLL_STAGE_SOAK": "soon",
    "CERTROLL_PROBE_SETTLE": "-1s",
    "CERTROLL_SLOTS_FIRST": "maybe",
    "CERTROLL_RESTART_WINDOW": "at night",
    "CERTROLL_MAX_RESTARTS": "0",
    "CERTROLL_ASE_MAX_UNAVAILABLE": "none",
    "CERTROLL_DELETE_SUPERSEDED": "2",
    "CERTROLL_DELETE_GRACE": "30",
    "CERTROLL_MAX_DELETES": "many",
    "CERTROLL_SETTINGS_REREAD": "daily",
    "CERTROLL_PFX_ENCRYPTION": "rot13",
    "CERTROLL_DNS_SERVERS": "dns.google",
    "CERTROLL_ORDER_ACTIONS": "please",
    "CERTROLL_APP_SERVICE_OBJECT_ID": "Microsoft Azure App Service",
    "CERTROLL_REGISTRATION_OBJECT_ID": "{}",
    "CERTROLL_CLOUD": "mars",
    "CERTROLL_SWEEP_SCHEDULE": "every hour",
    "CERTROLL_COMPLIANCE_SCHEDULE": "every day",
    "CERTROLL_NO_WAIVE": "CRT000",
}
TOLD_OF_BAD = (
    "CERTROLL_VAULTS: 'https://kv.vault.azure.net' is not",
    "CERTROLL_SUBSCRIPTIONS: 'production' is not",
    "CERTROLL_MODE: Input should be",
    "CERTROLL_SCOPE: Input should be",
    "CERTROLL_FREEZE: 'Christmas' is no interval",
    "CERTROLL_STAGE_SOAK: write a duration",
    *(f"{name}: " for name in BAD if not name.endswith("_SCHEDULE")),
)
ENVIRONMENTS = {
    "nothing is set": ({}, ("CERTROLL_VAULTS: it is not set", f"{STORAGE}: set it")),
    "all that is set is bad": (BAD | {STORAGE: f"AccountName=certroll;AccountKey={KEY}"}, TOLD_OF_BAD),
}
WITH_OWN_SCHEDULE = "0 */15 6-18 * * Mon-Fri"
Looked = tuple[Mapping[str, Mapping[str, object]], dict[str, Outcome]]


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    """Return the name of an environment with missing or wrong settings, in which no function can work."""
    return str(request.param)


@pytest.fixture(scope="module")
def looked_at(environment: str) -> Looked:
    """Return the triggers that the runtime finds in that environment, and the outcome of a call of each."""
    seen = inspect(ROOT, ENVIRONMENTS[environment][0], CALLS)
    triggers = {name: found.trigger for name, found in seen.functions.items()}
    return triggers, dict(zip(INVOKED, seen.outcomes, strict=True))


def without_name(trigger: Mapping[str, object]) -> dict[str, object]:
    """Return a trigger without its name and direction, as operators see the trigger."""
    return {name: value for name, value in trigger.items() if name not in {"name", "direction"}}


def test_all_settings_are_wrong_at_once() -> None:
    """The tests of a wrong environment give every setting of Certroll a wrong value."""
    names = {str(field.alias) for field in Settings.model_fields.values()} | {
        SWEEP_SCHEDULE.name,
        COMPLIANCE_SCHEDULE.name,
    }
    assert set(BAD) == {name for name in names if name.startswith("CERTROLL_")}


def test_functions_are_found_whatever_is_set(looked_at: Looked) -> None:
    """Microsoft's runtime finds the same functions and triggers with no settings or with wrong settings."""
    assert {name: without_name(trigger) for name, trigger in looked_at[0].items()} == TRIGGERS


@pytest.mark.parametrize("function", INVOKED)
def test_every_bad_setting_is_told_by_each_run(looked_at: Looked, environment: str, function: str) -> None:
    """A function that runs with wrong settings fails, and the host's error names every wrong setting.

    The timer that starts stopped apps reports only wrong settings of the connection to Azure.
    """
    outcome, problems = looked_at[1][function], ENVIRONMENTS[environment][1]
    told = [problem for problem in problems if function != "starts_timer" or problem.startswith(CONNECTION)]
    assert not outcome.succeeded
    assert outcome.error.startswith("SettingsInvalid(")
    assert [problem for problem in told if problem not in outcome.error] == []
    assert KEY not in outcome.error + outcome.trace


def test_wrong_key_is_not_shown(azurite: Azurite) -> None:
    """If the storage account refuses its key, each function fails without showing the key.

    The timer keeps the schedule of the settings even if storage refuses the key.
    """
    real = azurite.connection_string
    wrong = real.replace(key_of(real), KEY)
    settings = {"CERTROLL_VAULTS": "kv-shop", STORAGE: wrong, "CERTROLL_SWEEP_SCHEDULE": WITH_OWN_SCHEDULE}
    seen = inspect(ROOT, settings, [call for call in CALLS if call.function not in TIMERS])
    for outcome in seen.outcomes:
        assert not outcome.succeeded
        assert "AuthorizationFailure" in outcome.error
        assert KEY not in outcome.error + outcome.trace
    assert seen.functions["sweep_timer"].trigger["schedule"] == WITH_OWN_SCHEDULE


def key_of(connection_string: str) -> str:
    """Return the account key in a connection string."""
    return re.findall("AccountKey=([^;]+);", connection_string)[0]


def test_log_names_the_cause_and_no_secret(azurite: Azurite, storage: Storage, tmp_path: Path) -> None:
    """Every trigger of a function with wrong settings logs the reason, and the log shows no account key."""
    settings = {**BAD, STORAGE: azurite.connection_string, **POLLING}
    storage.send_text("sites", SITE)
    with FunctionHost(ROOT, settings, log=tmp_path / "host.log") as host:
        assert host.ready.errors == {}
        kind, key = {"aeg-event-type": "Notification"}, {"x-functions-key": host.ready.function_key}
        event = requests.post(host.webhook("vault_event"), json={}, headers=kind, timeout=HANG)
        replay = requests.post(f"{host.url}/api/dead-letters/sites/k/replay", headers=key, timeout=HANG)
        host.run("sweep_timer")
        for function in ("vault_event", "replay_poisoned", "sweep_timer", "sites_queue"):
            failed = f"Executed 'Functions.{function}' (Failed: SettingsInvalid("
            eventually(lambda failed=failed: failed in host.log.read_text(), told=host.log.read_text)
    log = host.log.read_text()
    assert (event.status_code, replay.status_code) == (500, 500)
    assert '"event": "setting.ignored"' in log
    assert [problem for problem in TOLD_OF_BAD if problem not in log] == []
    assert key_of(azurite.connection_string) not in log + event.text + replay.text
