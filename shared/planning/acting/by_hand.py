"""Say which commands bring the last good values of a site back, if Certroll may not write.

The texts contain only names of settings and thumbprints of certificates that Certroll knows: any other part of a value
may be a secret.
"""

from collections.abc import Iterable
from shlex import quote

from shared.domain.fleet.app_settings import ReferenceKind, SettingEdit, SiteSettings
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord
from shared.planning.plan import Skip

HANDS_OFF = frozenset({Reason.OBSERVE_ONLY, Reason.NOT_TAGGED, Reason.OPTED_OUT})
"""The reasons by which an operator stops every write to a site."""


def settings_by_hand(record: RollRecord, settings: SiteSettings | None) -> str:
    """Return the last good values of an app's settings, and the command that brings them back."""
    pins = {pin.key for pin in settings.pins if pin.kind is ReferenceKind.PIN} if settings else set()
    values = " ".join(_assignment(edit, exact=edit.key in pins) for edit in record.edits)
    changes = "; ".join(_change(edit) for edit in record.edits)
    return f"{changes}. az webapp config appsettings set {_where(record.site)} --settings {values}"


def _change(edit: SettingEdit) -> str:
    """Return in words how to undo one edit of an app setting."""
    old = ", ".join(edit.remove) or edit.next_to
    if edit.remove and edit.add:
        return f"in {edit.key} put {old} in place of {edit.add}"
    return f"in {edit.key} remove {edit.add} and keep {old}" if edit.add else f"in {edit.key} add {old}"


def _assignment(edit: SettingEdit, *, exact: bool) -> str:
    """Return the command's argument for one setting. Certroll knows the whole value only of a pin that it overwrote."""
    value = (edit.was or edit.remove[0]) if exact and len(edit.remove) == 1 else "<the value as said>"
    return quote(f"{edit.key}={value}")


def bindings_by_hand(record: SiteRecord, left: Iterable[Skip]) -> str:
    """Return the host names that Certroll has not bound to the new version, and the command that binds one."""
    wanted = [(skip.step.action.binds, skip.step.action.writes, skip.reason) for skip in left if skip.step]
    shown = ", ".join(
        f"{binding.host_name} shows {binding.thumbprint} and not {', '.join(sorted(writes))} ({reason})"
        for binding, writes, reason in wanted
        if binding is not None
    )
    good = ", ".join(f"{binding.host_name} {binding.thumbprint}" for binding in record.last_good)
    return (
        f"Certroll has begun to bring a new version to {record.site}, and may not write: {shown}. Before, the bindings "
        f"showed: {good}. az webapp config ssl bind {_where(record.site)} --ssl-type SNI --hostname HOST "
        "--certificate-thumbprint THUMBPRINT"
    )


def _where(site: SiteRef) -> str:
    slot = f" --slot {site.slot}" if site.slot else ""
    return f"--subscription {site.subscription} -g {site.resource_group} -n {site.name}{slot}"
