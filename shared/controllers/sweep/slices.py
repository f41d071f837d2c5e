"""Read a subscription ahead for the judging of the vault certificates, in as many runs as it takes.

A slice remembers the app settings that it reads row by row, so the rows are its cursor: the next run reads only what is
missing. A slice judges nothing and asks no vault.
"""

from datetime import datetime, timedelta

from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import VaultCertificateRef, VaultName
from shared.loop.observe.fleet import Observation, observe_fleet
from shared.loop.observe.targets import Targets
from shared.loop.run import Run
from shared.telemetry import event


def read_slice(run: Run, began: datetime, subscription: str) -> bool:
    """Read a subscription as far as the time of the run goes, and return True if something is left to read.

    Raise an error of Azure if the subscription does not answer.
    """
    targets = _kept_targets(run, began)
    seen = observe(run, (subscription,), run.intent.vaults, targets)
    late = sum(spot.is_late for spot in seen.fleet.blind_spots)
    event("sweep.slice_read", subscription=subscription, sites=len(seen.fleet.sites), late=late)
    return late > 0


def observe(
    run: Run,
    subscriptions: tuple[str, ...],
    vaults: frozenset[VaultName],
    targets: Targets,
    leaving: timedelta = timedelta(0),
) -> Observation:
    """Read the fleet with details of all uploaded certificates, and of certificates imported from vaults in scope.

    What the run has no time to read becomes a late blind spot. The time `leaving` stays free for other work.
    """

    def is_wanted(copy: WebspaceCertificate) -> bool:
        return copy.thumbprint is not None if copy.source is None else copy.source.vault in vaults

    def is_followed(ref: VaultCertificateRef) -> bool:
        return ref.vault in vaults

    check_time = run.leaving(leaving).check_time
    reread = run.intent.settings_reread
    return observe_fleet(
        run.ports, run.pool, subscriptions, is_wanted, is_followed, run.now(), targets, reread, check_time
    )


def keep_targets(run: Run, began: datetime, targets: Targets) -> None:
    """Keep for the slices of a sweep which parts of the fleet the tags of vault objects name."""
    run.ports.sweeps.keep(began, targets.text())


def _kept_targets(run: Run, began: datetime) -> Targets:
    """Return what the sweep kept. Without it the slice reads what no tag names, and the judging reads the rest."""
    text = run.ports.sweeps.kept(began)
    if text is None:
        return Targets()
    try:
        return Targets.parse(text)
    except (LookupError, TypeError, ValueError) as error:
        event("sweep.targets_unread", detail=f"{type(error).__name__}: {error}")
        return Targets()
