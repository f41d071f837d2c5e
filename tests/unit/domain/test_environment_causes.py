"""Certroll names the vault objects whose root certificates make it stop and start the apps of an environment."""

from datetime import timedelta

import pytest

from shared.domain.environments.record import EnvironmentRecord, NotedRoot, Want
from shared.domain.names import Thumbprint
from tests.build import ASE, NOW

OLD, NEW = Thumbprint("A" * 40), Thumbprint("B" * 40)
HOUR = timedelta(hours=1)
WANTS = (Want("vault/old", OLD, NOW), Want("vault/new", NEW, NOW))
ROOTS = (NotedRoot(OLD, NOW - 3 * HOUR, NOW - 3 * HOUR), NotedRoot(NEW, NOW - HOUR, NOW - HOUR))


@pytest.mark.parametrize(
    ("roots", "causes"),
    [
        pytest.param(ROOTS, ("vault/new",), id="one root came since the last list"),
        pytest.param(ROOTS[:1], ("vault/old", "vault/new"), id="an operator requested the stops"),
    ],
)
def test_stops_name_their_causes(roots: tuple[NotedRoot, ...], causes: tuple[str, ...]) -> None:
    """The vault objects of new roots are the causes, and without a new root all vault objects that are roots."""
    record = EnvironmentRecord(ASE, roots, since=NOW - 2 * HOUR, requested_at=NOW, wants=WANTS)
    assert record.causes(NOW) == causes
