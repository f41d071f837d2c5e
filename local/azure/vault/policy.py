"""The policy of a vault certificate, which describes its next version in the terms of Key Vault."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from cryptography import x509

from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH, KeyType

PKCS12 = "application/x-pkcs12"
PEM = "application/x-pem-file"
ContentType = Literal["application/x-pkcs12", "application/x-pem-file"]
LOCAL_ISSUER = "Local"
SELF = "Self"
UNKNOWN = "Unknown"
RENEW_AT_80_PERCENT = ({"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "AutoRenew"}},)


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy from which Key Vault makes a new version of a certificate."""

    host_names: tuple[str, ...] = ()
    subject: str = ""
    issuer_name: str = LOCAL_ISSUER
    key_type: KeyType = "RSA"
    key_size: int = 2048
    exportable: bool = True
    reuse_key: bool = False
    content_type: str = PKCS12
    validity_months: int = 6
    usages: tuple[str, ...] = (SERVER_AUTH, CLIENT_AUTH)
    key_usage: tuple[str, ...] = ("digitalSignature", "keyEncipherment")
    lifetime_actions: tuple[Mapping[str, Any], ...] = RENEW_AT_80_PERCENT

    @property
    def subject_name(self) -> x509.Name | None:
        """The subject as an X.509 name, or None if the host names decide the subject."""
        return x509.Name.from_rfc4514_string(self.subject) if self.subject else None

    def to_wire(self) -> dict[str, Any]:
        """Return the certificate policy in the JSON form of Key Vault's data plane, without id and attributes."""
        subject = self.subject or (f"CN={self.host_names[0]}" if self.host_names else "")
        return {
            "key_props": {
                "exportable": self.exportable,
                "kty": self.key_type,
                "key_size": self.key_size,
                "reuse_key": self.reuse_key,
                **({"crv": "P-256"} if self.key_type == "EC" else {}),
            },
            "secret_props": {"contentType": self.content_type},
            "x509_props": {
                "subject": subject,
                "sans": {"dns_names": list(self.host_names)},
                "ekus": list(self.usages),
                "key_usage": list(self.key_usage),
                "validity_months": self.validity_months,
                "basic_constraints": {"ca": False},
            },
            "lifetime_actions": [dict(action) for action in self.lifetime_actions],
            "issuer": {"name": self.issuer_name},
        }

    def merged(self, wire: Mapping[str, Any]) -> "Policy":
        """Return the certificate policy, changed in the properties that the request names."""
        found = {name: value for name, value in _named(wire).items() if value is not None}
        return replace(self, **found)


def _named(wire: Mapping[str, Any]) -> dict[str, Any]:
    key, x509_props = _part(wire, "key_props"), _part(wire, "x509_props")
    return {
        "host_names": _texts(_part(x509_props, "sans").get("dns_names")),
        "subject": x509_props.get("subject"),
        "issuer_name": _part(wire, "issuer").get("name"),
        "key_type": _key_type(key.get("kty")),
        "key_size": key.get("key_size"),
        "exportable": key.get("exportable"),
        "reuse_key": key.get("reuse_key"),
        "content_type": _part(wire, "secret_props").get("contentType"),
        "validity_months": x509_props.get("validity_months"),
        "usages": _texts(x509_props.get("ekus")),
        "key_usage": _texts(x509_props.get("key_usage")),
        "lifetime_actions": _parts(wire.get("lifetime_actions")),
    }


def _part(wire: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", wire.get(name) or {})


def _texts(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - JSON of a client
    return None if value is None else tuple(str(item) for item in value)


def _parts(value: Any) -> tuple[Mapping[str, Any], ...] | None:  # noqa: ANN401 - JSON of a client
    return None if value is None else tuple(dict(item) for item in value)


def _key_type(value: str | None) -> KeyType | None:
    if value is None:
        return None
    return "EC" if value.upper().startswith("EC") else "RSA"
