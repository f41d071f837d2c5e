"""Which vault objects make Certroll stop and start the apps of an environment."""

from datetime import timedelta

import pytest

from shared.domain.environments.record import EnvironmentRecord, NotedRoot, Want
from tests.build import ASE, HOUR, NEW, NOW, OLD

WANTS = (Want("kv/new", NEW, NOW), Want("kv/old", OLD, NOW))


@pytest.mark.parametrize(
    ("roots", "causes"),
    [
        pytest.param((NotedRoot(NEW, NOW, NOW),), ("kv/new",), id="one root came since the last list"),
        pytest.param((NotedRoot(NEW, NOW), NotedRoot(OLD, NOW, NOW - 2 * HOUR)), ("kv/new",), id="the other is older"),
        pytest.param((NotedRoot(OLD, NOW, NOW - 2 * HOUR),), ("kv/new", "kv/old"), id="none came: an operator asked"),
    ],
)
def test_stops_are_for_the_roots_that_came(roots: tuple[NotedRoot, ...], causes: tuple[str, ...]) -> None:
    """The stops are for the vault objects whose roots are new, or for all of them if an operator asked for stops."""
    record = EnvironmentRecord(ASE, roots, since=NOW - HOUR, wants=WANTS)
    assert record.causes(NOW + timedelta(minutes=1)) == causes
