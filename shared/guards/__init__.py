"""What may stop a step: one guard, one file, each from plan to plan.

The order of the table decides which reason is given where several apply: what operators took out first, then what is
wrong with the certificate, then what cannot be seen, then what is still needed, then the mode, then whose turn it is.
"""

from shared.domain.plan import Guard
from shared.guards import (
    deletion,
    gate,
    incomplete_view,
    live,
    mode,
    opt_out,
    own_site,
    restart_window,
    roll_stages,
    shrunken_read,
    stages,
)

GUARDS: tuple[Guard, ...] = (
    opt_out.guard,
    gate.guard,
    own_site.guard,
    incomplete_view.guard,
    live.guard,
    shrunken_read.guard,
    deletion.guard,
    mode.guard,
    stages.guard,
    restart_window.guard,
    roll_stages.guard,
)
