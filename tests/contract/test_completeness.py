"""Every operation and every knob has a test of the contract, or stands on a list with a reason."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from local.azure.scripting.knobs import Knobs
from shared.clients.clock import SystemClock
from shared.clients.connect import Connections
from shared.domain.endpoints import CloudName
from shared.ports import Ports
from tests.contract.knobs import SETTINGS, UNSETTLED, worlds
from tests.contract.live import NO_STORAGE
from tests.contract.operations import ELSEWHERE, UNTESTED, operations, uncounted_ports
from tests.in_process import in_process

HERE = Path(__file__).parent


def _modules() -> Iterator[ModuleType]:
    for path in sorted(HERE.glob("test_*.py")):
        yield importlib.import_module(f"tests.contract.{path.stem}")


def _marked(name: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each test with a mark of this name, with the argument of the mark."""
    for module in _modules():
        for title, test in inspect.getmembers(module, inspect.isfunction):
            for mark in getattr(test, "pytestmark", ()):
                if title.startswith("test_") and mark.name == name:
                    yield from ((f"{module.__name__}.{title}", test, argument) for argument in mark.args)


@pytest.fixture(scope="module")
def ports() -> Ports:
    """Return the product's clients, which send nothing."""

    def refuse(_: object) -> Any:  # noqa: ANN401 - never returns
        raise AssertionError("connecting sends no request")

    return Connections(CloudName.PUBLIC, None, NO_STORAGE, SystemClock(), transport=in_process(refuse)).ports()


def test_every_operation_has_a_test_or_a_reason(ports: Ports) -> None:
    """Each operation of the product's clients of Azure has a test of the contract, or a reason why not."""
    tested = {operation for _, _, operation in _marked("operations")}
    assert operations(ports) - tested - UNTESTED.keys() == set()
    assert tested - operations(ports) == set()
    assert tested & UNTESTED.keys() == set()
    assert UNTESTED.keys() - operations(ports) == set()


def test_every_port_is_counted() -> None:
    """Each port leads to an API of Azure that this contract covers, or stands on a list with a reason."""
    assert uncounted_ports(Ports) == set()
    assert ELSEWHERE.keys() - {port.name for port in fields(Ports)} == set()


def test_a_test_that_claims_an_operation_uses_the_recorded_clients() -> None:
    """Each test with a mark takes the fixture that checks the claim."""
    for mark, fixture in (("operations", "azure"), ("settles", "verdict")):
        for title, test, _ in _marked(mark):
            assert fixture in inspect.signature(test).parameters, title


def test_no_knob_is_missing() -> None:
    """Each knob of the local Azure has a test that settles it, or stands on a list with the reason why not."""
    known = {knob.name for knob in fields(Knobs)}
    settled = [knob for _, _, knob in _marked("settles")]
    assert sorted(settled) == sorted(SETTINGS)
    assert known == SETTINGS.keys() | UNSETTLED.keys()
    assert SETTINGS.keys() & UNSETTLED.keys() == set()


def test_every_setting_is_tried() -> None:
    """The simulated worlds have each setting that the suite tells apart, and the first world has the defaults."""
    for knob, values in SETTINGS.items():
        assert {world[knob] for world in worlds()} == set(values), knob
        assert worlds()[0][knob] == getattr(Knobs(), knob), knob
