"""List all guards, each in a file of its own.

A guard takes a plan and returns the plan without the steps that the guard refuses.

If several guards would refuse a step, the guard that comes first in the table gives the reason.
"""

from shared.planning.guards import (
    awaiting_root,
    frozen,
    incomplete_view,
    not_its_stage,
    not_its_turn,
    observe_only,
    opted_out,
    outside_restart_window,
    own_site,
    record_unreadable,
    setting_not_text,
    settings_shrunken,
    site_with_silos,
    still_needed,
    thumbprint_not_live,
    version_disabled,
    version_unfit,
)
from shared.planning.plan import Guard

GUARDS: tuple[Guard, ...] = (
    # Do not change resources that carry the tag `certroll: off`.
    opted_out.guard,
    # Do not change a site that also runs in regions that Certroll cannot read.
    site_with_silos.guard,
    # Do not change a site of which the journal may know what this release cannot read.
    record_unreadable.guard,
    # Write no version that an operator disabled in the vault, also not to bring last good settings back.
    version_disabled.guard,
    # Install a version only where it covers the host names and has the key and usages that the app needs.
    version_unfit.guard,
    # Do not restart the site that Certroll runs on.
    own_site.guard,
    # Sync, import or retire (take out old thumbprints) only in a readable webspace, except for a sync near the
    # certificate's end.
    incomplete_view.guard,
    # Write a thumbprint only where App Service has its certificate.
    thumbprint_not_live.guard,
    # Do not write app settings back if a read returned far fewer settings than before.
    settings_shrunken.guard,
    # Do not write app settings back if a value is neither a text nor null.
    setting_not_text.guard,
    # Delete a certificate only if no binding and no app can need the certificate.
    still_needed.guard,
    # Begin nothing new during a freeze, unless an old certificate ends soon.
    frozen.guard,
    # Serve a private certificate in an environment only after all apps of the environment trust its root.
    awaiting_root.guard,
    # Roll a version out to one webspace first, and stop the rollout if the version fails at a site.
    not_its_stage.guard,
    # Restart apps only inside CERTROLL_RESTART_WINDOW, except to restore the last good settings.
    outside_restart_window.guard,
    # Restart one app first, slots before production, and few apps of an environment at once.
    not_its_turn.guard,
    # Write to Azure only if CERTROLL_MODE is apply. This guard is the last, so that a plan in observe mode says the
    # same as a plan in apply mode.
    observe_only.guard,
)
"""Every plan passes all guards in this order."""
