"""Let every rule judge its subjects, and tell apart what passed, what failed and what could not be checked."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from shared.compliance.facts import Facts
from shared.compliance.rule import AnyRule, Severity, Status, Subject, Verdict
from shared.compliance.waivers import Waiver, waivers_in
from shared.domain.shown import Gap, NotSeen, Source

ALL = "ALL"
"""The word of CERTROLL_NO_WAIVE for all rules."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one rule says of one subject."""

    rule: AnyRule
    subject: str
    """The stable name of the subject, empty if the rule failed before it named its subjects."""
    label: str
    """The name of the subject for people."""
    verdict: Verdict
    gap: Gap | None = None
    """Why the rule could not check the subject, None if it could."""
    source: Source | None = None
    """The source that lacks the fact, None if none does."""
    waiver: Waiver | None = None
    """The waiver that counts for the finding."""

    @property
    def id(self) -> str:
        """The id of the finding, which is the same in every run."""
        return hashlib.sha256(f"{self.rule.id}\n{self.subject}".encode()).hexdigest()[:20]

    @property
    def status(self) -> Status:
        """The status of the verdict."""
        return self.verdict.status

    @property
    def severity(self) -> Severity:
        """The severity of the finding."""
        return self.verdict.severity or self.rule.severity


def judge(facts: Facts, rules: Collection[AnyRule], unwaivable: Collection[str] = ()) -> tuple[Result, ...]:
    """Return what each rule says of each of its subjects, in the order of rules and subjects.

    Waivers of the rules in `unwaivable` (or of all, with `ALL`) do not count. A rule that lacks a fact is not checked,
    and a rule that fails is an error; neither stops another rule.
    """
    known = frozenset(rule.id for rule in rules)
    waivable = frozenset() if ALL in unwaivable else known - frozenset(unwaivable)
    facts = replace(facts, rule_ids=known)
    return tuple(_waived(result, tags, facts, waivable) for rule in rules for result, tags in _judged(rule, facts))


def _judged(rule: AnyRule, facts: Facts) -> Iterator[tuple[Result, Subject | None]]:
    """Yield what a rule says of each of its subjects, with the subject."""
    try:
        subjects: Iterable[Subject] = tuple(rule.about(facts))
    except NotSeen as gap:
        yield Result(rule, "", rule.name, Verdict(Status.NOT_CHECKED, gap.what), gap.gap, gap.source), None
        return
    except Exception as error:  # noqa: BLE001 - a broken rule is a result, and hurts no other rule
        yield Result(rule, "", rule.name, Verdict(Status.ERROR, _said(error))), None
        return
    for subject in subjects:
        yield _result(rule, subject, facts), subject


def _result(rule: AnyRule, subject: Subject, facts: Facts) -> Result:
    try:
        return Result(rule, subject.key, subject.label, rule.check(subject, facts))
    except NotSeen as unseen:
        verdict = Verdict(Status.NOT_CHECKED, unseen.what)
        return Result(rule, subject.key, subject.label, verdict, unseen.gap, unseen.source)
    except Exception as error:  # noqa: BLE001 - as above
        return Result(rule, subject.key, subject.label, Verdict(Status.ERROR, _said(error)))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _waived(result: Result, subject: Subject | None, facts: Facts, waivable: Collection[str]) -> Result:
    """Return the result as waived if it is a finding that a tag of the subject waives."""
    if result.status is not Status.FAIL or subject is None:
        return result
    waivers, _ = waivers_in(subject.waiver_tags, facts.now, waivable)
    waiver = next((waiver for waiver in waivers if waiver.rule == result.rule.id), None)
    if waiver is None:
        return result
    return replace(result, verdict=replace(result.verdict, status=Status.WAIVED), waiver=waiver)
