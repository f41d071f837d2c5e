"""Log how long each vault object in App Service still has, so that people can be told before a certificate ends."""

from collections.abc import Mapping

from shared.controllers.sweep.reading import Inspection
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import VaultCertificateRef
from shared.domain.snapshot.endings import Endings
from shared.telemetry import event


def log_ends(fleet: Fleet, inspections: Mapping[VaultCertificateRef, Inspection]) -> None:
    """Log the first end of each vault object of which App Service uses or holds a certificate, without any request."""
    endings, now = Endings.of(fleet), fleet.taken_at
    for ref, inspection in sorted(inspections.items()):
        versions = inspection.lineage.versions if inspection.lineage else ()
        first = endings.first(ref, versions, now)
        if first is not None:
            event(
                "certificate.ends",
                certificate=str(ref),
                hours=first.hours(now),
                share=first.share(now),
                used=first.used,
            )
