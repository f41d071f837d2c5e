"""What Certroll can do to Azure: one action, one file.

The order of the table is the order of the work: what is about to be replaced is kept first, and a version must be in
the webspace before anything can show it. What is deleted goes last.
"""

from shared.planning.actions import (
    add_root_certificate,
    delete_certificate,
    delete_root_certificate,
    import_certificate,
    keep_superseded,
    refresh_references,
    restart_site,
    restore_app_settings,
    retire_thumbprint,
    roll_app_settings,
    sync_certificate,
    update_binding,
    upload_again,
    upload_certificate,
    upload_public_certificate,
)
from shared.planning.plan import Propose

PROPOSALS: tuple[Propose, ...] = (
    keep_superseded.propose,
    upload_certificate.propose,
    upload_again.propose,
    upload_public_certificate.propose,
    import_certificate.propose,
    add_root_certificate.propose,
    sync_certificate.propose,
    update_binding.propose,
    restore_app_settings.propose,
    roll_app_settings.propose,
    retire_thumbprint.propose,
    restart_site.propose,
    refresh_references.propose,
    delete_certificate.propose,
    delete_root_certificate.propose,
)
