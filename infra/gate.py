"""Check the templates: `make infra`. Write what the compiler makes of them: `make infra WRITE=--write`.

`make infra AZD_SCHEMA=azure.yaml.json` also checks azure.yaml against a copy of azd's whole schema, which the CI
workflow loads.

The check fails for any line that `bicep lint` prints, because a misspelt property is only a warning to Bicep. It also
fails for a file that is not formatted, for a compiled template or a snapshot that differs from the kept one, and for an
azure.yaml that its schema refuses.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from jsonschema import Draft201909Validator

from infra.compiler import Compiler, CompilerError, lint, running_compiler
from infra.sources import INFRA, KEPT, hashes, sources

ENTRIES = ("main", "subscription", "vault")
"""The templates that people deploy."""
AZURE_YAML, SCHEMA = INFRA.parent / "azure.yaml", INFRA / "azure.schema.json"
AGAIN = "run `make infra WRITE=--write` and read the difference"


def main(arguments: list[str]) -> int:
    """Check or write, print every problem, and return the exit code. Arguments for a check are further schemas."""
    try:
        problems = write() if arguments == ["--write"] else list(check(*map(Path, arguments)))
    except CompilerError as error:
        problems = [str(error)]
    print(*problems, f"{len(problems)} problems of infra/", sep="\n")
    return 1 if problems else 0


def check(*schemas: Path) -> Iterator[str]:
    """Yield every problem of the templates, and what further schemas refuse of azure.yaml. Nothing is written."""
    for schema in (SCHEMA, *schemas):
        yield from misspelt(AZURE_YAML, schema)
    for entry in ENTRIES:
        yield from lint(INFRA / f"{entry}.bicep")
    with running_compiler() as compiler:
        yield from _unformatted(compiler)
        yield from (
            f"{path.relative_to(INFRA)} is not what the compiler makes now: {AGAIN}"
            for path, text in made(compiler).items()
            if not path.exists() or path.read_text(encoding="utf-8") != text
        )
    left = set(INFRA.glob("variants/*.snapshot.json")) - {snapshot_of(path) for path in variants()}
    yield from (f"{path.name} has no parameter file" for path in sorted(left))


def write() -> list[str]:
    """Format the sources, and write the compiled templates, the snapshots and the hashes. Return what failed."""
    with running_compiler() as compiler:
        for path in _bicep_files():
            path.write_text(compiler.formatted(path), encoding="utf-8")
        for path, text in made(compiler).items():
            path.write_text(text, encoding="utf-8")
    return list(check())


def made(compiler: Compiler) -> dict[Path, str]:
    """Return every file that is made from the sources, with its text. Raises CompilerError if a source has an error."""
    files = {}
    for entry in ENTRIES:
        text, problems = compiler.compiled(INFRA / f"{entry}.bicep")
        if problems:
            raise CompilerError("\n".join(problems))
        files[INFRA / "compiled" / f"{entry}.json"] = f"{text}\n"
    for path in variants():
        files[snapshot_of(path)] = _deployable(path, compiler.snapshot(path))
    files[KEPT] = json.dumps(hashes(), indent=2) + "\n"
    return files


def variants() -> list[Path]:
    """Return the parameter files of all variants of an installation that tests look at."""
    return sorted(INFRA.glob("variants/*.bicepparam"))


def snapshot_of(variant: Path) -> Path:
    """Return the path of the snapshot of a variant."""
    return variant.with_suffix(".snapshot.json")


def misspelt(path: Path, schema: Path) -> list[str]:
    """Return what the schema refuses of a YAML file."""
    validator = Draft201909Validator(json.loads(schema.read_text(encoding="utf-8")))
    found = validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))
    return [f"{path.name}: {error.json_path}: {error.message}" for error in found]


def _deployable(variant: Path, snapshot: str) -> str:
    """Return a snapshot with sorted keys, because the compiler writes the outputs in another order each time.

    Raises CompilerError if Azure's template engine would refuse the deployment.
    """
    found = json.loads(snapshot)
    if problems := found["diagnostics"]:
        raise CompilerError(f"{variant.name}: {problems}")
    return json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _unformatted(compiler: Compiler) -> Iterator[str]:
    for path in _bicep_files():
        if compiler.formatted(path) != path.read_text(encoding="utf-8"):
            yield f"{path.relative_to(INFRA)} is not formatted: {AGAIN}"


def _bicep_files() -> list[Path]:
    return [path for path in sources() if path.suffix in {".bicep", ".bicepparam"}]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
