"""One run of the contract: set-up, tests, and the removal, which also runs after a failure in the middle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.contract.ledger import Ledger
from tests.contract.making import Rig, set_up
from tests.contract.place import Place
from tests.contract.removal import remove


class LeftBehind(Exception):
    """The removal could not remove everything. The message names the resources that stay, and the next step."""


@contextmanager
def running(place: Place, ledger: Ledger, say: Callable[[str], None]) -> Iterator[Rig]:
    """Yield what the tests share, and remove everything that the run has made. Print each resource by `say`."""
    say(f"Contract run {ledger.run} in {place.group_id}. Its note is {ledger.path}")
    rig = Rig(place, ledger, say)
    try:
        set_up(rig)
        yield rig
    finally:
        done = remove(place, ledger)
        for word, ids in (("removed", done.removed), ("kept", done.kept), ("FAILED to remove", done.failed)):
            for resource_id in ids:
                say(f"{word} {resource_id}")
        if done.failed:
            raise LeftBehind(
                f"Run {ledger.run} has left {len(done.failed)} resources: {'; '.join(done.failed)}."
                f" Remove them: python -m tests.contract.remove {ledger.run}"
            )
