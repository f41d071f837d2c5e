"""The note of what a run has made, as a file that outlives a killed run."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

TAG = "contract-test-run"
"""The tag of each resource of a run. Its name does not begin with `certroll`, because Certroll reads such tags."""
LEDGERS = Path(__file__).resolve().parents[2] / "build" / "contract"


@dataclass(slots=True)
class Ledger:
    """The resource ids that a run has made, or was about to make when it died."""

    run: str
    subscription: str
    group: str
    folder: Path = field(default=LEDGERS, compare=False)
    made: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """The file of the note."""
        return self.folder / f"{self.run}.json"

    @property
    def tags(self) -> dict[str, str]:
        """The tags of each resource of the run."""
        return {TAG: self.run}

    def note(self, resource_id: str) -> None:
        """Write down the id of a resource, before the request that makes the resource."""
        if resource_id not in self.made:
            self.made.append(resource_id)
            self._write()

    def strike(self, resource_id: str) -> None:
        """Remove the id of a resource that is gone, and the file after the last id."""
        self.made.remove(resource_id)
        if self.made:
            self._write()
        else:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        self.path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def new_run() -> str:
    """Return the name of a new run."""
    return f"r{secrets.token_hex(4)}"


def read(run: str, folder: Path = LEDGERS) -> Ledger:
    """Return the note of a run. Raise FileNotFoundError if the run has no note."""
    return Ledger(**json.loads((folder / f"{run}.json").read_text(encoding="utf-8")), folder=folder)


def runs(folder: Path = LEDGERS) -> Iterator[str]:
    """Yield the names of the runs that have left something behind."""
    yield from sorted(path.stem for path in folder.glob("*.json"))
