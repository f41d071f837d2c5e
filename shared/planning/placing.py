"""Decide which webspace (App Service's place for certificates) gets a new version first."""

from collections import Counter

from shared.domain.intent import Intent
from shared.domain.names import Webspace
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan


def first_webspace(plan: Plan, snapshot: Snapshot, intent: Intent) -> Webspace | None:
    """Return the webspace that gets the version first: the recorded webspace, or else a choice from the plan.

    Certroll prefers a webspace with a binding or an app, because only bindings and apps can show that the version
    works. Among equal webspaces, Certroll avoids the webspace of its own site, and then chooses the webspace with the
    fewest bindings to move.
    """
    if snapshot.rollout.first is not None:
        return snapshot.rollout.first
    staged = [step.action for step in plan.steps if not step.action.restarts_site]
    bindings = Counter(action.webspace for action in staged if action.site is not None)
    apps = {step.action.webspace for step in plan.steps if step.action.restarts_site}
    own = {action.webspace for action in staged if action.site and intent.owns(action.site)}
    webspaces = {action.webspace for action in staged if action.webspace and action.is_staged}
    return min(webspaces, key=lambda w: (bindings[w] == 0, w not in apps, w in own, bindings[w], w), default=None)
