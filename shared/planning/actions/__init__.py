"""List all actions of Certroll, each in a file of its own, in the order in which a plan takes them.

A plan uploads a superseded version that apps still name before a sync replaces that version. A plan brings a version
into the webspace (App Service's place for certificates) before a binding shows the version. Deletions come last.
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
    # Upload an old version that app settings still name, because a sync replaces that version in the imported
    # certificate.
    keep_superseded.propose,
    # Upload the current version where an operator uploaded the certificate, because App Service never renews uploads.
    upload_certificate.propose,
    # Upload the current version again if servers of an App Service Environment do not know the chain of an early
    # upload.
    upload_again.propose,
    # Put the certificate without its key on sites that a tag or a root list (WEBSITE_LOAD_ROOT_CERTIFICATES) names.
    upload_public_certificate.propose,
    # Import the vault certificate into each webspace or site that the tag `certroll-import-to` names.
    import_certificate.propose,
    # Put a root certificate into each App Service Environment that the tag `certroll-root-of` names.
    add_root_certificate.propose,
    # Make App Service fetch the newest version into each imported certificate.
    sync_certificate.propose,
    # Show the current version on each TLS binding that shows an older version.
    update_binding.propose,
    # Restore the last good settings of an app whose probe failed after Certroll updated the settings.
    restore_app_settings.propose,
    # Put the current thumbprint into the load list, the root list and the other settings of each app that name the
    # certificate.
    roll_app_settings.propose,
    # Take older thumbprints out of the list settings of an app that carries `certroll-retire: on`.
    retire_thumbprint.propose,
    # Restart an app that loads every certificate of its webspace and carries `certroll-restart: on`.
    restart_site.propose,
    # Make App Service fetch the newest version for the Key Vault references of an app.
    refresh_references.propose,
    # Delete an uploaded certificate that a newer version has superseded.
    delete_certificate.propose,
    # Delete a superseded root certificate from its App Service Environment.
    delete_root_certificate.propose,
)
"""Every action proposes its steps in this order. Each proposal sees the steps before it as done."""
