"""The sweep: inspect everything once an hour."""

from shared.controllers.environment.controller import remind
from shared.controllers.managed.controller import look_after_managed
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep.certificates import sweep_certificates
from shared.loop.run import Run


def sweep(run: Run) -> None:
    """Look after everything: vault certificates, free managed certificates, and orders of purchased ones.

    What goes wrong with one kind does not hold up the others; it is raised at the end, as a group.
    """
    errors = []
    for look_after in (sweep_certificates, remind, look_after_managed, look_after_orders):
        try:
            look_after(run)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one kind, the others are looked at; raised below
            errors.append(error)
    if errors:
        raise ExceptionGroup("the sweep could not look at everything; what it found elsewhere is on its way", errors)
