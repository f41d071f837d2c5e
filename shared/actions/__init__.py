"""What Certroll can do to Azure: one action, one file.

The order of the table is the order of the work: a version must be in the webspace before anything can show it.
"""

from shared.actions import sync_certificate, update_binding
from shared.domain.plan import Propose

PROPOSALS: tuple[Propose, ...] = (
    sync_certificate.propose,
    update_binding.propose,
)
