"""`python -m tests.mutation` tries mutants, and lists the mutants that no test notices."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutation.choice import Choice
from tests.mutation.mutants import Mutant, control_of, enums_of, mutants
from tests.mutation.pool import Pool, Result
from tests.mutation.recording import BUILD, recorded
from tests.mutation.report import judged, passes, table, verdict
from tests.mutation.results import Results
from tests.mutation.sample import sample
from tests.mutation.survivors import EXPLAINED, explained, idle, line_of

TARGETS = (
    "shared/domain",
    "shared/planning",
    "shared/clients/retrying.py",
)
LATER = (("tests/properties", 2.0),)
"""The directories of tests that are tried if no unit test notices a mutant, each with its limit of recorded CPU
seconds.
"""
STEP = 50
CONTROLS = 10
"""The number of mutants that are first tried without their change."""


def main(arguments: Sequence[str]) -> int:
    """Try mutants, and return 0 if the unexplained survivors are within the bar."""
    asked = _parsed(arguments)
    enums = enums_of(tuple(Path("shared").rglob("*.py")))
    known = mutants(_files(TARGETS), enums)
    chosen = known if asked.all else sample(known, asked.mutants, asked.seed)
    if asked.only:
        chosen = tuple(mutant for mutant in known if asked.only in f"{mutant.key} {mutant.module} {mutant.unit}")
    choice = Choice(recorded("tests/unit"), tuple((recorded(name), limit) for name, limit in LATER))
    results = Results(choice.known)
    left = [mutant for mutant in chosen if asked.again or results.of(mutant.key) is None]
    print(f"{len(known)} mutants in all, {len(chosen)} chosen, {len(chosen) - len(left)} known from before")
    pool = Pool(choice, enums, asked.jobs)
    _check_controls(left, pool)
    _try(left, pool, results)
    return _sum_up(known, chosen, results)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--mutants", type=int, default=1200, help="how many to try; of each module three at least")
    parser.add_argument("--seed", type=int, default=1, help="another seed chooses others")
    parser.add_argument("--all", action="store_true", help="try every mutant")
    parser.add_argument("--only", metavar="TEXT", help="those with the text in their key, module or function")
    parser.add_argument("--again", action="store_true", help="also what is known from before")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    return parser.parse_args(arguments)


def _files(targets: Sequence[str]) -> tuple[Path, ...]:
    found = (
        file for target in targets for file in (Path(target).rglob("*.py") if Path(target).is_dir() else [Path(target)])
    )
    return tuple(sorted(found))


def _check_controls(left: Sequence[Mutant], pool: Pool) -> None:
    """Run the tests of the first mutants without a change of the code.

    Raise SystemExit if a test fails although the code is unchanged. A test that fails without a change of the code
    depends on the order of tests or on state. Mutants would count as noticed if a test failed without any change of the
    code.
    """
    for result in pool.results([control_of(mutant) for mutant in left[:CONTROLS]]):
        if not result.survived:
            raise SystemExit(
                f"Without any change {result.by} fails where only the tests of a mutant run ({result.key})"
            )


def _try(left: Sequence[Mutant], pool: Pool, results: Results) -> None:
    began, survived = time.monotonic(), 0
    for done, result in enumerate(pool.results(left), 1):
        results.keep(result)
        survived += result.survived
        if done % STEP == 0 or done == len(left):
            minutes = (time.monotonic() - began) / 60
            print(f"{done} of {len(left)} tried in {minutes:.1f} min, {survived} survived", flush=True)


def _sum_up(known: Sequence[Mutant], chosen: Sequence[Mutant], results: Results) -> int:
    reasons = explained()
    became: dict[str, Result] = {
        mutant.key: found for mutant in chosen if (found := results.of(mutant.key)) is not None
    }
    judgements = judged(chosen, became, reasons)
    for judgement in judgements:
        if judgement.unexplained:
            print(f"{judgement.mutant.path}:{judgement.mutant.lines[0]}\n  {line_of(judgement.mutant, '')}")
        elif judgement.reason and not judgement.result.survived:
            print(
                f"{EXPLAINED} explains {judgement.mutant.key}, which {judgement.result.by} notices: take the line out"
            )
    for key in idle(reasons, known):
        print(f"{EXPLAINED} explains {key}, which is no mutant any more: look at it again")
    print(table(judgements))
    print(f"What noticed each mutant is in {BUILD}/results.jsonl")
    print(verdict(judgements))
    return 0 if passes(judgements) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
