"""Refuse to write the settings of an app if one value is neither a text nor null.

A PUT of app settings replaces all settings. Certroll cannot write such a value back unchanged.
"""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, _: Snapshot, __: Intent) -> Plan:
    """Refuse each write of the settings of an app with a value that is neither a text nor null."""

    def refusal(step: Step) -> Skip | None:
        write = step.action.settings_write
        if write is None or not write.settings.not_text:
            return None
        names = ", ".join(sorted(write.settings.not_text))
        detail = f"{names}: the value is neither a text nor null, and a write replaces all settings; make it a text"
        return Skip(step.subject, Reason.SETTING_NOT_TEXT, detail, step.action.site)

    return plan.refuse(refusal)
