"""What may stop a step: one guard, one file, each from plan to plan.

The order of the table decides which reason is given where several apply: what is wrong with the certificate first,
then what operators asked for, then what cannot be seen, then the mode, then whose turn it is.
"""

from shared.domain.plan import Guard
from shared.guards import gate, incomplete_view, live, mode, opt_out, own_site, stages

GUARDS: tuple[Guard, ...] = (
    gate.guard,
    opt_out.guard,
    own_site.guard,
    incomplete_view.guard,
    live.guard,
    mode.guard,
    stages.guard,
)
