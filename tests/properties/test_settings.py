"""Test that Certroll reads any settings of operators and apps, or names every problem."""

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import SettingsInvalid
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, AppSettings
from shared.domain.fleet.settings_reading import read_settings
from shared.schedules import HOURLY, SWEEP_SCHEDULE
from shared.settings import Settings, load_settings, timer_schedule
from tests.build import site_ref
from tests.properties.promises import times

NAMES = sorted(str(field.alias) for field in Settings.model_fields.values())
GOOD = (
    *("kv-shop", "apply", "observe", "on", "off", "1h", "90s", "0", "5", "3des", "usgov", "Sat,Sun 22:00-04:00"),
    *("10.0.0.4, 9.9.9.9:5353", "0 0 * * * *", "/subscriptions/x", "UseDevelopmentStorage=true", "2620:fe::fe"),
)
odd = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=60)
broken = st.builds(lambda good, at, text: good[:at] + text + good[at:], st.sampled_from(GOOD), st.integers(0, 20), odd)
texts = st.one_of(st.sampled_from(GOOD), broken, odd)
environments = st.dictionaries(st.sampled_from([*NAMES, "CERTROLL_SWEEP_SCHEDULE"]), texts, max_size=8)


@times(0.5, soak=1)
@given(environments)
def test_settings_are_read_or_every_problem_is_named(environment: dict[str, str]) -> None:
    """Certroll reads the value of each setting or names the setting as a problem, and shows no secret."""
    secret = "AccountKey=bWFya2Vy"  # noqa: S105 - what is looked for
    storage = {"AzureWebJobsStorage": f"DefaultEndpointsProtocol=https;AccountName=certroll;{secret}"}
    with patch.dict("os.environ", {**environment, **storage}, clear=True):
        schedule, problem = timer_schedule(SWEEP_SCHEDULE)
        found, problems = _loaded()
    assert problem is None or (schedule == HOURLY and "CERTROLL_SWEEP_SCHEDULE" in problem)
    assert (found is None) == bool(problems)
    assert found is None or found.intent.vaults
    assert all(any(name in problem for name in NAMES) for problem in problems)
    assert secret not in str(problems)


def _loaded() -> tuple[Settings | None, tuple[str, ...]]:
    """Return the settings, or None and the problems."""
    try:
        return load_settings(), ()
    except SettingsInvalid as invalid:
        return None, invalid.problems


THUMBPRINT = "AB" * 20
SEEDS = (
    THUMBPRINT,
    f"/var/ssl/private/{THUMBPRINT}.p12",
    f"*,{THUMBPRINT}",
    "@Microsoft.KeyVault(SecretUri=https://x)",
)
bent = st.builds(
    lambda seed, at, text: seed[:at] + text + seed[at:], st.sampled_from(SEEDS), st.integers(0, 45), st.text(max_size=5)
)
values = st.one_of(st.text(max_size=200), st.sampled_from(SEEDS), bent)
keys = st.one_of(st.sampled_from([LOAD_LIST, LOAD_LIST.lower(), ROOT_LIST, "CLIENT_CERT"]), st.text(max_size=20))


@times(0.5, soak=1)
@given(st.dictionaries(keys, values, max_size=6))
def test_app_settings_of_any_kind_are_read(given_values: dict[str, str]) -> None:
    """Certroll finds the certificates that any app settings name, and lists each thumbprint also as mentioned."""
    found = read_settings(AppSettings(site_ref(), given_values, {}))
    named = {reference.thumbprint for reference in found.references}
    assert named <= found.mentioned
    assert all(len(thumbprint) == 40 and set(thumbprint) <= set("0123456789ABCDEF") for thumbprint in found.mentioned)
