"""Remove what a killed live run has left behind: `python -m tests.contract.remove RUN`."""

import sys
from collections.abc import Sequence

from azure.core.pipeline.transport import RequestsTransport

from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.domain.endpoints import CloudName
from tests.contract.ledger import Ledger, read, runs
from tests.contract.live import Unusable, in_group
from tests.contract.place import Place
from tests.contract.removal import remove


def main(arguments: Sequence[str]) -> int:
    """Remove what the named run has left, and return the exit code."""
    left = tuple(runs())
    if len(arguments) != 1 or arguments[0] not in left:
        print("Usage: python -m tests.contract.remove RUN")
        print(f"Runs that have left something: {', '.join(left) or 'none'}")
        return 2
    ledger = read(arguments[0])
    try:
        return report(_place(ledger), ledger)
    except Unusable as unusable:
        print(unusable)
        return 2


def report(place: Place, ledger: Ledger) -> int:
    """Remove what the run has left in this place, print each resource, and return the exit code."""
    done = remove(place, ledger)
    for word, ids in (("removed", done.removed), ("kept", done.kept), ("FAILED", done.failed)):
        for resource_id in ids:
            print(f"{word}: {resource_id}")
    if done.failed:
        print(f"Run {ledger.run} is noted in {ledger.path}. Try again: python -m tests.contract.remove {ledger.run}")
    return 1 if done.failed else 0


def _place(ledger: Ledger) -> Place:
    credential = make_credential(CLOUDS[CloudName.PUBLIC], None)
    return in_group(credential, RequestsTransport(), ledger.subscription, ledger.group)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
