"""Describe the steps and refusals of a plan as rows for the log, with what operators need to judge each of them."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import chain

from shared.domain.names import Thumbprint
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Action, Skip, Step, Would

Row = Mapping[str, object]
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def step_rows(steps: Iterable[Step], snapshot: Snapshot) -> list[Row]:
    """Return a row for each step of a plan."""
    change = partial(_change, snapshot, _ends(snapshot))
    return [{"subject": step.subject, "reason": step.reason, **change(step.action)} for step in steps]


def skip_rows(skips: Iterable[Skip], snapshot: Snapshot) -> list[Row]:
    """Return a row for each change that Certroll does not make, with the change if a step was refused."""
    change = partial(_change, snapshot, _ends(snapshot))
    said = (({"subject": skip.subject, "reason": skip.reason, "detail": skip.detail}, skip.step) for skip in skips)
    return [{**row, **({} if step is None else change(step.action))} for row, step in said]


def would_rows(steps: Iterable[Would], snapshot: Snapshot) -> list[Row]:
    """Return a row for each step that Certroll would perform with other settings or tags.

    `why` names what keeps Certroll from the step, and `waits` what the step would still wait for.
    """
    change = partial(_change, snapshot, _ends(snapshot))
    return [
        {
            "subject": would.step.subject,
            "reason": would.step.reason,
            "why": would.why,
            "waits": {"reason": would.waits.reason, "detail": would.waits.detail} if would.waits else None,
            **change(would.step.action),
        }
        for would in steps
    ]


def _change(snapshot: Snapshot, ends: Mapping[Thumbprint, datetime | None], action: Action) -> Row:
    """Return the change of an action: what it does, the old and the new thumbprints, and if it restarts an app."""
    current = snapshot.lineage.current
    brings = current is not None and bool(action.cases(current, snapshot))
    new = action.writes | {current.thumbprint} if current is not None and brings else action.writes
    old = sorted({thumbprint for thumbprint in _replaced(action) if thumbprint in ends} - new)
    ending = [end for thumbprint in old if (end := ends[thumbprint]) is not None]
    return {
        "action": _WORD.sub(" ", type(action).__name__).lower(),
        "old": old,
        "old_ends": min(ending, default=None),
        "new": sorted(new),
        "restarts": action.restarts_site,
    }


def _replaced(action: Action) -> set[Thumbprint]:
    """Return the thumbprints that the action takes out of use, or next to which it puts a new thumbprint."""
    write = action.settings_write
    edits = write.edits if write is not None else ()
    changed = (action.replaces, action.binds, action.deletes_copy, action.deletes_root)
    found = (
        *(resource.thumbprint for resource in changed if resource is not None),
        *chain.from_iterable((edit.next_to, *edit.remove) for edit in edits),
    )
    return {thumbprint for thumbprint in found if thumbprint is not None}


def _ends(snapshot: Snapshot) -> Mapping[Thumbprint, datetime | None]:
    """Return when each certificate that Certroll knows ends, None if Azure does not show it.

    The log shows no other thumbprint, because the value of an app setting with 40 hex digits may be a secret.
    """
    fleet = snapshot.fleet
    seen = {copy.thumbprint: copy.not_after for copy in fleet.certificates if copy.thumbprint is not None}
    roots = {root.thumbprint: None for root in fleet.roots if root.thumbprint is not None}
    return {**roots, **seen, **{version.thumbprint: version.not_after for version in snapshot.lineage.versions}}
