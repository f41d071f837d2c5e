"""All tags of Azure resources that Certroll reads or writes, in one table, with the functions that read tags.

Some tags of a vault object hold a list of targets, which are short names of sites, webspaces or other resources.

    ```
    certroll-public-to    shop, rg-web/api, shop/staging
    certroll-public-to-2  rg-web/api/staging
    ```

The value of a tag has at most 256 characters (Azure docs, "Tag support"), so a list continues in tags with the suffix
`-2`, `-3` and so on. The order of the targets (short names of resources) in a tag has no meaning. A repeated target
counts once, and Certroll ignores empty entries. Certroll refuses a list whose numbered tags have a gap.

Certroll takes no instruction from a tag that is neither in the table `TAGS` nor continues a list of the table. The
sweep, the targets of the fleet and docs/reference/tags.md follow the table.
"""

import re
from dataclasses import dataclass
from enum import StrEnum, auto

Tags = tuple[tuple[str, str], ...]
"""The tags of a resource: pairs of a name and a value."""
PREFIX = "certroll"
"""The beginning of the names of all tags of Certroll."""
ON, OFF = frozenset({"on", "true", "yes", "1"}), frozenset({"off", "false", "no", "0"})
"""The values of the tag `certroll` that Certroll understands. Any other value counts as off."""


class Carrier(StrEnum):
    """The kind of resource that carries a tag, in the words of the documentation."""

    SITE = "site"
    SLOT = "slot"
    VAULT_OBJECT = "vault certificate or secret"
    ENVIRONMENT = "App Service Environment"
    ORDER = "certificate order"
    UPLOAD = "certificate that Certroll uploaded"


class Kind(StrEnum):
    """The kind of value that a tag of Certroll has."""

    OFF_SWITCH = auto()
    """Every value but `on`, `true`, `yes` and `1` turns something off, so that a typing mistake turns it off, too."""
    ON_SWITCH = auto()
    """Only the value `on` turns something on."""
    TEXT = auto()
    SITES = auto()
    """The value is a list of sites and slots."""
    PLACES = auto()
    """The value is a list of webspaces, App Service plans or sites, in any subscription."""
    ENVIRONMENTS = auto()
    """The value is a list of App Service Environments."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of an Azure resource that Certroll reads or writes."""

    name: str
    carriers: frozenset[Carrier]
    """The kinds of resources that may carry the tag."""
    kind: Kind
    form: str
    """The form of the value, as the documentation shows it."""
    meaning: str
    """The effect of the tag on Certroll, in whole sentences."""
    makes_root: bool = False
    """True if the tag makes a vault object a trusted root, which may be a certificate without a key."""
    per_slot: bool = False
    """True if a slot does not inherit the tag from its site."""

    def __str__(self) -> str:
        return self.name

    @property
    def makes_wanted(self) -> bool:
        """True if the hourly sweep follows a vault object with the tag, even before App Service has the certificate."""
        return self.kind in {Kind.SITES, Kind.PLACES, Kind.ENVIRONMENTS}

    def value_in(self, tags: Tags) -> str | None:
        """Return the tag's stripped value, None without the tag; tag names ignore upper and lower case, as in ARM."""
        return next((value.strip() for key, value in tags if _plain(key) == self.name), None)

    def number_of(self, key: str) -> str | None:
        """Return the number with which a tag continues the list, empty for the tag itself, None for another tag."""
        match = re.fullmatch(rf"{re.escape(self.name)}(?:-([0-9]+))?", _plain(key))
        return (match[1] or "") if match else None


_SITES = frozenset({Carrier.SITE, Carrier.SLOT})
_VAULT = frozenset({Carrier.VAULT_OBJECT})

OPT_OUT = Tag(
    PREFIX,
    _SITES | _VAULT | {Carrier.ENVIRONMENT, Carrier.ORDER},
    Kind.OFF_SWITCH,
    "off",
    "Certroll writes nothing to the resource, deletes nothing of it and never stops it. Certroll goes on reading it. "
    "Every value but `on`, `true`, `yes` and `1` counts as `off`.",
)
PROBE = Tag(
    "certroll-probe",
    _SITES,
    Kind.TEXT,
    "/path [status] [text]",
    "Certroll asks the app for the path before and after a change of its settings. "
    "The app is fine if it answers with the status (200 if none is written) and the text.",
)
RESTART = Tag(
    "certroll-restart",
    _SITES,
    Kind.ON_SWITCH,
    "on",
    "Certroll restarts an app that loads every certificate (`WEBSITE_LOAD_CERTIFICATES` is `*`) if a version arrives.",
)
RETIRE = Tag(
    "certroll-retire",
    _SITES | _VAULT,
    Kind.ON_SWITCH,
    "on",
    "Certroll takes old thumbprints out of the load list once the new version is proven. "
    "The app restarts once more for it. Without the tag, only disabled versions leave. "
    "The tag of a site or slot wins over that of the vault object.",
)
GROUP = Tag(
    "certroll-group",
    _SITES,
    Kind.TEXT,
    "name, name",
    "One app of each named group stays up while Certroll stops and starts the apps of an App Service Environment.",
    per_slot=True,
)
MANAGED = Tag(
    "certroll-managed",
    _SITES,
    Kind.ON_SWITCH,
    "on",
    "Certroll asks Azure for a free managed certificate for each custom host name without a binding.",
)
REISSUE = Tag(
    "certroll-reissue",
    frozenset({Carrier.ORDER}),
    Kind.TEXT,
    "serial number",
    "Certroll has the certificate with this serial number issued again with a new key, once. "
    "`CERTROLL_ORDER_ACTIONS` must be `on`.",
)
ASKED_BY = Tag(
    "certroll-asked-by",
    frozenset({Carrier.ORDER}),
    Kind.TEXT,
    "installation wants renew serial time",
    "Certroll writes this tag before it renews or reissues the order, so that no other installation of Certroll asks "
    "for the same. Leave the tag as it is.",
)
PUBLIC_TO = Tag(
    "certroll-public-to",
    _VAULT,
    Kind.SITES,
    "site, group/site, site/slot",
    "Certroll uploads the public part of the current version to each named site or slot.",
)
ROOT_ON = Tag(
    "certroll-root-on",
    _VAULT,
    Kind.SITES,
    "site, group/site, site/slot",
    "Certroll puts the current version into the root list (`WEBSITE_LOAD_ROOT_CERTIFICATES`) of each named app.",
    makes_root=True,
)
ROOT_OF = Tag(
    "certroll-root-of",
    _VAULT,
    Kind.ENVIRONMENTS,
    "environment, group/environment",
    "Certroll adds the current version to the root certificates of each named App Service Environment.",
    makes_root=True,
)
IMPORT_TO = Tag(
    "certroll-import-to",
    _VAULT,
    Kind.PLACES,
    "webspace, plan, site, group/…",
    "Certroll imports the vault certificate into each named place that lacks it.",
)
IMPORT_NAME = Tag(
    "certroll-import-name",
    _VAULT,
    Kind.TEXT,
    "name",
    "Certroll gives this name to what it imports because of `certroll-import-to`.",
)
UPLOAD_AGAIN = Tag(
    "certroll-upload-again",
    _VAULT,
    Kind.ON_SWITCH,
    "on",
    "Certroll uploads the current version once more, and renews its bindings, "
    "if an App Service Environment has an early upload of it.",
)
WAIVE = Tag(
    "certroll-waive",
    _SITES | _VAULT | {Carrier.ENVIRONMENT, Carrier.UPLOAD},
    Kind.TEXT,
    "rule day reason",
    "The compliance sweep shows the findings of the rule for this resource as waived until the end of the day. "
    "A waiver lasts 366 days at most. More waivers go into `certroll-waive-2` and so on. "
    "`CERTROLL_NO_WAIVE` names rules whose waivers do not count.",
    per_slot=True,
)
CLIENT_CERTS = Tag(
    "certroll-client-certs",
    _SITES,
    Kind.TEXT,
    "required, optional or off",
    "What the owner of the site wants of inbound client certificates. The compliance sweep reports a site that App "
    "Service treats otherwise. Certroll changes nothing.",
)
CLIENT_CA = Tag(
    "certroll-client-ca",
    _SITES,
    Kind.TEXT,
    "vault/name",
    "The app of the site accepts only client certificates of this authority. The compliance sweep reports an app that "
    "accepted a certificate of nobody when a person asked for the probe. Certroll changes nothing.",
)
LINEAGE = Tag(
    "certroll-lineage",
    frozenset({Carrier.UPLOAD}),
    Kind.TEXT,
    "vault/name",
    "Certroll writes this tag on its uploads. Certroll deletes uploads without this tag only if "
    "`CERTROLL_DELETE_SUPERSEDED` allows it. Leave the tag as it is.",
)

TAGS = (
    OPT_OUT,
    PROBE,
    RESTART,
    RETIRE,
    GROUP,
    MANAGED,
    PUBLIC_TO,
    ROOT_ON,
    ROOT_OF,
    IMPORT_TO,
    IMPORT_NAME,
    UPLOAD_AGAIN,
    REISSUE,
    ASKED_BY,
    WAIVE,
    CLIENT_CERTS,
    CLIENT_CA,
    LINEAGE,
)
_WANTED = tuple(tag.name for tag in TAGS if tag.makes_wanted)


def has_ours(tags: Tags) -> bool:
    """Return True if the name of any tag, also of a misspelled tag, begins with `certroll`."""
    return any(_plain(key).startswith(PREFIX) for key, _ in tags)


def are_wanted(tags: Tags) -> bool:
    """Return True if a tag of the vault object names targets, or begins like a tag that continues a list of targets."""
    return any(_plain(key).startswith(_WANTED) for key, _ in tags)


def is_root(tags: Tags) -> bool:
    """Return True if the tags make a vault object a trusted root, which may be a certificate without a key."""
    return any(tag.number_of(key) is not None for tag in TAGS if tag.makes_root for key, _ in tags)


def opted_out(tags: Tags) -> bool:
    """Return True if `certroll: off` is among the tags, or the tag `certroll` with a value that is no word for on."""
    return any(opts_out(value) for key, value in tags if _plain(key) == OPT_OUT.name)


def opted_in(tags: Tags) -> bool:
    """Return True if the tag `certroll` is among the tags, with a word for on."""
    return OPT_OUT.value_in(tags) is not None and not opted_out(tags)


def opts_out(value: str | None) -> bool:
    """Return True if the tag `certroll` has a value that is no word for on. None stands for a resource without it."""
    return value is not None and value.strip().lower() not in ON


def is_on(value: str | None) -> bool:
    """Return True if the value of a tag is `on`, in upper or lower case.

    A tag that lets Certroll restart or write a resource accepts only the word `on`.
    """
    return value is not None and value.lower() == "on"


def of_kind(kind: Kind) -> tuple[Tag, ...]:
    """Return the tags of Certroll whose value is of the given kind."""
    return tuple(tag for tag in TAGS if tag.kind is kind)


def _plain(key: str) -> str:
    return key.strip().lower()


def lineage_tags(tags_by_version: tuple[Tags, ...]) -> tuple[Tags, bool]:
    """Return the tags of the newest version that has tags of Certroll, and True if that version is not the newest.

    Key Vault stores tags for each version, and a renewal by import may have no tags. An opt-out by a vault
    certificate's tag must survive a renewal that has no tags.
    """
    for position, tags in enumerate(tags_by_version):
        if has_ours(tags):
            return tags, position > 0
    return (tags_by_version[0] if tags_by_version else ()), False
