"""Print the statements of the demo with the results of their checks."""

from dataclasses import dataclass, field

from local.screen import Screen


@dataclass(slots=True)
class Checks:
    """Print the statements that the demo checks, and collect the false statements in `failed`."""

    screen: Screen = field(default_factory=Screen)
    failed: list[str] = field(default_factory=list)

    def claim(self, holds: object, text: str) -> None:
        """Print a statement of the demo with the result of its check."""
        self.screen.claim(text, holds=bool(holds))
        if not holds:
            self.failed.append(text)
