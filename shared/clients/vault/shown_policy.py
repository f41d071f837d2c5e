"""Keep of a vault certificate's policy what compliance rules judge, in the words of Key Vault's REST API."""

from azure.keyvault.certificates import CertificatePolicy, CertificateProperties, LifetimeAction


def shown_policy(policy: CertificatePolicy | None, newest: CertificateProperties | None) -> dict[str, object]:
    """Return the issuer, the lifetime actions, the key and secret properties of a policy, empty without a policy.

    The validity that a policy wishes for is no fact: authorities shorten it (ARO-RP #4383).
    """
    if policy is None:
        return {}
    kind = policy.content_type
    shown: dict[str, object] = {
        "issuer": {"name": policy.issuer_name},
        "key_props": {"reuse_key": policy.reuse_key, "exportable": policy.exportable},
        "secret_props": {"contentType": None if kind is None else str(getattr(kind, "value", kind))},
    }
    if policy.lifetime_actions is not None:
        shown["lifetime_actions"] = [_action(action) for action in policy.lifetime_actions]
    if newest is not None:
        shown["recoveryLevel"] = newest.recovery_level
    return shown


def _action(found: LifetimeAction) -> dict[str, object]:
    kind = found.action
    return {
        "action": str(getattr(kind, "value", kind)),
        "trigger": {
            "lifetime_percentage": found.lifetime_percentage,
            "days_before_expiry": found.days_before_expiry,
        },
    }
