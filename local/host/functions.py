"""Define the metadata of a function, and the input and the result of an invocation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRIGGER_SUFFIX = "trigger"


@dataclass(frozen=True, slots=True)
class Datum:
    """A value on its way between host and worker, with its kind on the wire (`json`, `string`, `http`)."""

    value: Any
    type: str | None


@dataclass(frozen=True, slots=True)
class FunctionMetadata:
    """A function as Microsoft's runtime indexed it, with bindings as in function.json."""

    name: str
    function_id: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The binding that starts the function."""
        return next(binding for binding in self.bindings if binding["type"].lower().endswith(TRIGGER_SUFFIX))

    @property
    def trigger_type(self) -> str:
        """The kind of the function's trigger, such as `queueTrigger`."""
        return str(self.trigger["type"])

    @property
    def outputs(self) -> tuple[Mapping[str, Any], ...]:
        """The output bindings, which the Functions host writes after the function has returned."""
        return tuple(binding for binding in self.bindings if str(binding.get("direction", "")).upper() == "OUT")


@dataclass(frozen=True, slots=True)
class TriggerInput:
    """The value that a trigger hands to its function, with the trigger's metadata."""

    value: Datum
    metadata: Mapping[str, Datum]
    reason: str = "This function was programmatically called via the host APIs."


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an invocation."""

    succeeded: bool
    returned: Datum | None = None
    outputs: tuple[tuple[str, Datum], ...] = ()
    error: str = ""
    trace: str = ""

    @property
    def outputs_with_return(self) -> tuple[tuple[str, Datum], ...]:
        """Return the outputs of the invocation by binding name, with the returned value."""
        if self.returned is None or self.returned.type is None:
            return self.outputs
        return (*self.outputs, ("$return", self.returned))


@dataclass(frozen=True, slots=True)
class Ready:
    """The report of a started host to its supervisor."""

    url: str
    function_key: str
    master_key: str
    event_grid_key: str
    functions: tuple[str, ...]
    errors: Mapping[str, str]
