"""What may stop a step: one guard, one file, each from plan to plan.

The order of the table decides which reason is given where several apply: what operators took out first, then what is
wrong with the certificate, then what cannot be seen, then what is still needed, then the mode, then whose turn it is.
"""

from shared.planning.guards import (
    incomplete_view,
    not_its_stage,
    not_its_turn,
    observe_only,
    opted_out,
    outside_restart_window,
    own_site,
    settings_shrunken,
    still_needed,
    thumbprint_not_live,
    version_unfit,
)
from shared.planning.plan import Guard

GUARDS: tuple[Guard, ...] = (
    opted_out.guard,
    version_unfit.guard,
    own_site.guard,
    incomplete_view.guard,
    thumbprint_not_live.guard,
    settings_shrunken.guard,
    still_needed.guard,
    observe_only.guard,
    not_its_stage.guard,
    outside_restart_window.guard,
    not_its_turn.guard,
)
