"""Run the contract against the local Azure, with each setting of the knobs, or against a real subscription.

All tests of a run share a plan, a vault, a site and a slot. The removal also runs after a failure in the middle.
"""

from collections.abc import Callable, Generator, Iterator, Mapping

import pytest

from local.azure.scripting.knobs import Knobs
from local.environment import of_this_process
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.domain.endpoints import CloudName
from tests.contract.knobs import worlds
from tests.contract.ledger import LEDGERS, Ledger, new_run
from tests.contract.live import Unusable, is_asked_for, live_place
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Place, Verdict, Waited, equal_to
from tests.contract.running import running
from tests.contract.simulated import simulated_place, simulated_world

VERDICT, WAITED = "contract-verdict", "contract-waited"
LONGEST_LIVE_TEST = 7200
"""The seconds that a test may take in a real subscription, which is slower than the local Azure."""
PASSED = pytest.StashKey[bool]()
"""True for a test whose body has passed, so that what it claims can be checked."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a place once in Azure, or in each simulated world of knobs.py."""
    if "place" in metafunc.fixturenames:
        live = is_asked_for(of_this_process())
        names = ["azure"] if live else [f"settings-{number}" for number in range(len(worlds()))]
        metafunc.parametrize("settings", [None] if live else worlds(), ids=names, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of one place together, so that they share what a run has made.

    A live run leaves the tests of the local Azure out, because the local Azure changes the environment of the process.
    """
    if is_asked_for(of_this_process()):
        ours = [item for item in items if "/contract/" in item.path.as_posix()]
        simulated = [item for item in ours if "settings" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=simulated)
        items[:] = [item for item in items if item not in simulated]
        for item in items:
            item.add_marker(pytest.mark.timeout(LONGEST_LIVE_TEST))
    slots = [number for number, item in enumerate(items) if "settings" in getattr(item, "fixturenames", ())]
    together = sorted((items[number] for number in slots), key=lambda item: item.callspec.indices["settings"])  # type: ignore[attr-defined]
    for number, item in zip(slots, together, strict=True):
        items[number] = item


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the body of a test has passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


def refusal(environment: Mapping[str, str], *, several: bool) -> str | None:
    """Return why a live run cannot begin, or None. `several` is True if several processes run the tests."""
    if is_asked_for(environment) and several:
        return "Run the live contract in one process, without -n: each process would pay for a plan of its own."
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a live run that cannot work, before any test begins."""
    several = bool(getattr(config.option, "numprocesses", None)) or hasattr(config, "workerinput")
    if reason := refusal(of_this_process(), several=several):
        raise pytest.UsageError(reason)


@pytest.fixture(scope="session")
def place(request: pytest.FixtureRequest, settings: Mapping[str, object] | None) -> Place:
    """Return the place: a resource group in Azure, or in a simulated Azure with these settings of the knobs."""
    if settings is None:
        try:
            return live_place(of_this_process())
        except Unusable as unusable:
            pytest.exit(f"The live contract cannot run.\n{unusable}", returncode=4)
    request.getfixturevalue("stand")
    knobs = Knobs()
    knobs.turn(**settings)
    return simulated_place(simulated_world(knobs), make_credential(CLOUDS[CloudName.PUBLIC], None))


@pytest.fixture(scope="session")
def rig(place: Place, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Yield what the tests share, and remove everything that the run has made, also after a failed set-up."""
    folder = LEDGERS if place.is_live else tmp_path_factory.mktemp("contract")
    ledger = Ledger(new_run(), place.subscription, place.group, folder)
    with running(place, ledger, _printer(request.config) if place.is_live else lambda _: None) as made:
        yield made


def _printer(config: pytest.Config) -> Callable[[str], None]:
    """Return a function that prints a line at once, past pytest's capture."""
    capture, writer = config.pluginmanager.getplugin("capturemanager"), config.get_terminal_writer()

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            writer.line(line)

    return say


@pytest.fixture
def azure(request: pytest.FixtureRequest, place: Place) -> Iterator[Recording]:
    """Yield the product's own clients. Fail a test that claims an operation by its mark and never calls it."""
    clients = Recording(place.ports)
    yield clients
    if not request.node.stash.get(PASSED, False):
        return
    claimed = {name for mark in request.node.iter_markers("operations") for name in mark.args}
    assert claimed <= clients.called, f"the test claims {sorted(claimed)}, and calls only {sorted(clients.called)}"


@pytest.fixture
def verdict(request: pytest.FixtureRequest, place: Place, record_property: Callable[[str, object], None]) -> Verdict:
    """Return the function by which a test says what Azure does, and which compares it with the simulated setting."""
    settled = {name for mark in request.node.iter_markers("settles") for name in mark.args}

    def say(knob: str, does: object, fits: Callable[[object], bool] | None = None) -> None:
        assert knob in settled, f"the test has no mark settles({knob!r})"
        record_property(VERDICT, f"knob {knob}: {'Azure' if place.is_live else 'the local Azure'} does {does}")
        if place.knobs is not None:
            setting = getattr(place.knobs, knob)
            assert (fits or equal_to(does))(setting), f"knob {knob} is {setting!r}, and the suite sees {does!r}"

    return say


@pytest.fixture
def waited(record_property: Callable[[str, object], None]) -> Waited:
    """Return the function by which a test says how long Azure took to show something."""
    return lambda what, seen: record_property(WAITED, f"{what}: {seen}")


def _lent(place: Place, name: str) -> str:
    found: str | None = getattr(place, name)
    if found is None:
        pytest.skip(f"AZURE_LIVE_{name.upper()} is not set")
    return found


@pytest.fixture
def environment(place: Place) -> str:
    """Return the resource id of the App Service Environment that a person lends, or skip the test."""
    return _lent(place, "environment")


@pytest.fixture
def order(place: Place) -> str:
    """Return the resource id of the certificate order that a person lends, or skip the test."""
    return _lent(place, "order")


@pytest.fixture
def domain(place: Place) -> str:
    """Return the domain that a person lends, or skip the test."""
    return _lent(place, "domain")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what Azure does at each knob, and how long it took to show what was written."""
    reports = (report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ()))
    found: dict[str, set[str]] = {VERDICT: set(), WAITED: set()}
    for report in reports:
        for name, text in getattr(report, "user_properties", ()):
            if name in found:
                found[name].add(str(text))
    if found[VERDICT]:
        terminalreporter.section("the contract with Azure")
    for line in (*sorted(found[WAITED]), *sorted(found[VERDICT])):
        terminalreporter.write_line(line)
