"""Which webspace a new version goes to first."""

from collections import Counter

from shared.domain.intent import Intent
from shared.domain.names import Webspace
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan


def first_webspace(plan: Plan, snapshot: Snapshot, intent: Intent) -> Webspace | None:
    """Return the webspace that goes first: the recorded one, else the one with the fewest bindings to move.

    Something must be served there, or an app use it, or nothing could be proven; our own site's webspace comes last.
    """
    if snapshot.rollout.first is not None:
        return snapshot.rollout.first
    staged = [step.action for step in plan.steps if not step.action.restarts_site]
    bindings = Counter(action.webspace for action in staged if action.site is not None)
    apps = {step.action.webspace for step in plan.steps if step.action.restarts_site}
    own = {action.webspace for action in staged if action.site and intent.owns(action.site)}
    webspaces = {action.webspace for action in staged if action.webspace and action.is_staged}
    return min(webspaces, key=lambda w: (bindings[w] == 0, w not in apps, w in own, bindings[w], w), default=None)
