"""Judge a certificate by the table RULES, which has one line for each requirement.

Certroll *refuses* a certificate that App Service would refuse, or that is worse than the certificate in use. Certroll
*warns* of other problems of a certificate. The verdict about a requirement is *unseen* if Certroll did not read the
certificate or its private key.
"""

from dataclasses import dataclass

from shared.domain.certificates import judges
from shared.domain.certificates.requirements import (
    BundleJudge,
    Case,
    FactsJudge,
    Judge,
    Level,
    Opinion,
    PolicyJudge,
    Requirement,
    Use,
)
from shared.domain.certificates.version import Part
from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """Certroll's verdict about one requirement of a certificate."""

    requirement: Requirement
    level: Level
    detail: str
    reason: Reason
    """The reason with which Certroll refuses a step if the level is REFUSE."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table RULES, which connects a requirement with its judge."""

    requirement: Requirement
    uses: frozenset[Use]
    """The purposes to which the requirement applies."""
    judge: Judge
    reason: Reason
    """The reason with which Certroll refuses a certificate that misses the requirement."""


def check(case: Case) -> tuple[Verdict, ...]:
    """Return a verdict for each requirement that concerns the use of the certificate, in the order of RULES."""
    applying = (rule for rule in RULES if rule.uses >= ({case.use} if case.use else ANY))
    judged = ((rule, rule.judge(case)) for rule in applying)
    return tuple(Verdict(rule.requirement, *opinion, rule.reason) for rule, opinion in judged if opinion is not None)


def refusals(case: Case) -> tuple[Verdict, ...]:
    """Return the verdicts that refuse the certificate, in the order of RULES."""
    return tuple(verdict for verdict in check(case) if verdict.level is Level.REFUSE)


def warnings(case: Case) -> tuple[Verdict, ...]:
    """Return the verdicts that warn of the certificate, in the order of RULES."""
    return tuple(verdict for verdict in check(case) if verdict.level is Level.WARN)


def _of_facts(judge: FactsJudge, *parts: Part) -> Judge:
    """Build a judge that returns UNSEEN if Certroll did not read the certificate's facts.

    The judge also returns UNSEEN if Certroll could not read a part of the certificate on which the verdict depends.
    """

    def opinion(case: Case) -> Opinion | None:
        facts = case.version.facts
        if facts is None:
            return Level.UNSEEN, "Certroll did not read the certificate"
        if facts.unread.isdisjoint(parts):
            return judge(case, facts)
        return Level.UNSEEN, judges.unread_detail(facts.unread.intersection(parts))

    return opinion


def _of_bundle(judge: BundleJudge) -> Judge:
    """Build a judge that returns UNSEEN if Certroll did not read the key and the chain of the certificate."""

    def opinion(case: Case) -> Opinion | None:
        bundle = case.version.bundle
        unseen = "Certroll read only the certificate, without its key and chain"
        return (Level.UNSEEN, unseen) if bundle is None else judge(case, bundle)

    return opinion


def _of_policy(judge: PolicyJudge) -> Judge:
    """Build a judge that returns UNSEEN if Certroll did not read the vault object's key and format."""

    def opinion(case: Case) -> Opinion | None:
        return (Level.UNSEEN, "Certroll did not read the vault object") if case.key is None else judge(case, case.key)

    return opinion


ANY = frozenset(Use)
PRIVATE = frozenset({Use.IMPORT, Use.UPLOAD})
ROOTS = frozenset({Use.ROOT})
WITH_KEY = ANY - {Use.PUBLIC} - ROOTS

RULES: tuple[Rule, ...] = (
    Rule(Requirement.ENABLED, ANY, judges.enabled, Reason.VERSION_DISABLED),
    Rule(Requirement.NOT_EXPIRED, ANY, judges.not_expired, Reason.EXPIRED),
    Rule(Requirement.ISSUER_KEPT, ANY, _of_facts(judges.issuer_kept), Reason.NEWLY_SELF_SIGNED),
    Rule(Requirement.SERIAL_NUMBER, ANY, _of_facts(judges.serial_number), Reason.SERIAL_TOO_LONG),
    Rule(Requirement.SIGNATURE, ANY, _of_facts(judges.signature, Part.SIGNATURE), Reason.WEAKER_SIGNATURE),
    Rule(Requirement.READABLE, ANY, _of_facts(judges.readable), Reason.REQUIREMENT_WARNING),
    Rule(Requirement.STARTED, ANY, judges.started, Reason.NOT_YET_VALID),
    Rule(Requirement.EXPORTABLE_KEY, PRIVATE, _of_policy(judges.exportable_key), Reason.KEY_NOT_EXPORTABLE),
    Rule(Requirement.CONTENT_TYPE, PRIVATE, _of_policy(judges.content_type), Reason.NOT_PKCS12),
    Rule(Requirement.PRIVATE_KEY, PRIVATE, _of_bundle(judges.private_key), Reason.NO_PRIVATE_KEY),
    Rule(Requirement.MATCHING_KEY, PRIVATE, _of_bundle(judges.matching_key), Reason.KEY_MISMATCH),
    Rule(Requirement.RSA_KEY, frozenset({Use.IMPORT}), _of_facts(judges.rsa_key), Reason.KEY_NOT_IMPORTABLE),
    Rule(Requirement.KNOWN_CURVE, frozenset({Use.UPLOAD}), _of_facts(judges.known_curve), Reason.UNKNOWN_CURVE),
    Rule(Requirement.KEY_SIZE, WITH_KEY, _of_facts(judges.key_size, Part.KEY), Reason.KEY_TOO_SMALL),
    Rule(
        Requirement.SERVER_AUTH,
        frozenset({Use.BINDING}),
        _of_facts(judges.server_auth, Part.USAGES),
        Reason.SERVER_AUTH_LOST,
    ),
    Rule(
        Requirement.CLIENT_AUTH,
        frozenset({Use.OUTBOUND}),
        _of_facts(judges.client_auth, Part.USAGES),
        Reason.CLIENT_AUTH_LOST,
    ),
    Rule(Requirement.HOST_NAMES, frozenset({Use.BINDING}), _of_facts(judges.host_names), Reason.NOT_COVERED),
    Rule(Requirement.CHAIN, PRIVATE, _of_bundle(judges.chain), Reason.CHAIN_LOST),
    Rule(Requirement.CHAIN_ORDER, PRIVATE, _of_bundle(judges.chain_order), Reason.REQUIREMENT_WARNING),
    Rule(
        Requirement.VALIDITY_LIMIT,
        WITH_KEY,
        _of_facts(judges.validity_limit, Part.POLICIES),
        Reason.REQUIREMENT_WARNING,
    ),
    Rule(Requirement.AUTHORITY, ROOTS, _of_facts(judges.authority), Reason.NOT_AN_AUTHORITY),
    Rule(Requirement.SELF_SIGNED, ROOTS, _of_facts(judges.self_signed), Reason.NOT_SELF_SIGNED),
)
"""All rules, in the order in which Certroll judges them: a refusal gives the reason of the first refusing rule.

The rules about an operator's decisions come first. Of the rules for ANY use, the rule whose refusal passes with time
comes last. The rules for ANY use are the version half of the gate: they decide whether a version may become the current
version.
"""
