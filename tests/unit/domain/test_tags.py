"""The table of tags says which tags Certroll reads and which resources may carry each tag."""

import pytest

from shared.domain import tags
from shared.domain.fleet.fleet import Fleet
from shared.domain.tags import OPT_OUT, PREFIX, TAGS, Carrier, Kind, Tag, are_wanted, has_ours
from tests.build import NOW, site


def test_every_tag_is_in_the_table_once() -> None:
    """Every tag that the code defines is in the table exactly once."""
    defined = [value for value in vars(tags).values() if isinstance(value, Tag)]
    assert sorted(tag.name for tag in defined) == sorted(tag.name for tag in TAGS)
    assert len({tag.name for tag in TAGS}) == len(TAGS)
    assert {tag.name for tag in TAGS if not tag.name.startswith(PREFIX)} == set()


@pytest.mark.parametrize("tag", TAGS, ids=str)
def test_tag_of_a_vault_object_is_wanted_if_it_names_targets(tag: Tag) -> None:
    """A sweep checks a vault object that App Service does not use only if a tag of the object names targets."""
    asks = tag.name in {"certroll-public-to", "certroll-root-on", "certroll-root-of", "certroll-import-to"}
    assert are_wanted(((f" {tag.name.upper()}-2", "shop"),)) is asks
    assert are_wanted(((tag.name, "shop"), ("team", "web"))) is asks
    assert not asks or Carrier.VAULT_OBJECT in tag.carriers


def test_tags_of_others_are_not_ours() -> None:
    """A tag with Certroll's prefix counts as Certroll's own tag, even if the tag is misspelled."""
    assert has_ours((("team", "web"), (" CertRoll-rot-on", "x")))
    assert not has_ours((("team", "certroll"),))


@pytest.mark.parametrize("tag", [tag for tag in TAGS if Carrier.SLOT in tag.carriers], ids=str)
def test_slot_has_its_sites_tag_unless_the_tag_is_per_slot(tag: Tag) -> None:
    """A slot inherits the tags of its site except those about the slot alone: its group, and what its owner waives."""
    staging = site(slot="staging")
    seen = Fleet(NOW, (site(tags=((tag.name, "x"),)), staging))
    assert seen.tag(staging.ref, tag) == (None if tag.name in {"certroll-group", "certroll-waive"} else "x")


def test_opt_out_is_read_wherever_it_is_set() -> None:
    """Each kind of resource whose tags Certroll reads can carry the tag `certroll`, except an upload."""
    assert OPT_OUT.kind is Kind.OFF_SWITCH
    assert set(Carrier) - {Carrier.UPLOAD} == OPT_OUT.carriers
