"""An event of Key Vault, and the spellings in which Azure may write the event."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["NewVersionCreated", "NearExpiry", "Expired"]
ObjectType = Literal["Certificate", "Secret", "Key"]
Schema = Literal["EventGrid", "CloudEvents"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The spelling of a Key Vault event's payload, on which Azure docs and the SDKs disagree.

    In the table of Azure docs, event-schema-key-vault, the vault object's address has the key `id`, and NBF and EXP are
    numbers. In the sample event of the same page, the vault object's address has the key `Id`, and NBF and EXP are
    strings. In the sample event of Azure docs, the key `ObjectName` ends with a blank, and the version begins with a
    blank.
    """

    schema: Schema = "EventGrid"
    id_key: str = "Id"
    object_name_key: str = "ObjectName"
    version_prefix: str = ""
    times_as: Literal["number", "float", "string", "null"] = "number"
    topic_case: Literal["as is", "lower", "upper"] = "as is"


DOCUMENTED_SAMPLE = Shape(object_name_key="ObjectName ", version_prefix=" ", times_as="string")
DOCUMENTED_TABLE = Shape(id_key="id", times_as="number")


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one version of a vault object, and the spelling in which the event is written."""

    id: str
    kind: Kind
    vault: str
    topic: str
    object_type: ObjectType
    object_name: str
    version: str
    url: str
    not_before: datetime | None
    not_after: datetime | None
    time: datetime
    shape: Shape

    @property
    def type(self) -> str:
        """The type of the event, in the spelling of Event Grid."""
        return f"Microsoft.KeyVault.{self.object_type}{self.kind}"

    @property
    def data(self) -> dict[str, Any]:
        """The data section of the event, in the spelling that `shape` describes."""
        return {
            self.shape.id_key: self.url,
            "VaultName": self.vault,
            "ObjectType": self.object_type,
            self.shape.object_name_key: self.object_name,
            "Version": self.shape.version_prefix + self.version,
            "NBF": self._moment(self.not_before),
            "EXP": self._moment(self.not_after),
        }

    @property
    def payload(self) -> dict[str, Any]:
        """The whole event as JSON-ready values, in the schema of `shape`."""
        written = self.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
        shared = {"id": self.id, "subject": self.object_name, "data": self.data}
        if self.shape.schema == "CloudEvents":
            return shared | {"source": self._topic(), "type": self.type, "time": written, "specversion": "1.0"}
        envelope = {"eventType": self.type, "eventTime": written, "dataVersion": "1", "metadataVersion": "1"}
        return shared | {"topic": self._topic()} | envelope

    def _topic(self) -> str:
        cases = {"as is": self.topic, "lower": self.topic.lower(), "upper": self.topic.upper()}
        return cases[self.shape.topic_case]

    def _moment(self, moment: datetime | None) -> float | str | None:
        if moment is None:
            return None
        seconds = int(moment.timestamp())
        spellings: dict[str, float | str | None] = {
            "number": seconds,
            "float": float(seconds),
            "string": str(seconds),
            "null": None,
        }
        return spellings[self.shape.times_as]
