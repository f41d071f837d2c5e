"""App settings name certificates in several forms, and Certroll changes only the thumbprint in each form."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import (
    LOAD_LIST,
    ROOT_LIST,
    AppSettings,
    ReferenceKind,
    SettingEdit,
    SettingReference,
    SiteSettings,
    VaultReference,
    changed_elsewhere,
    is_load_list,
)
from shared.domain.fleet.settings_editing import (
    all_done,
    edited,
    edited_settings,
    edited_values,
    inverse,
    is_done,
    restoring_without,
)
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.names import Thumbprint
from tests.build import FOREIGN, NEW, OLD, OLDER, OTHER_REF, REF, app_settings, named, site_ref

LIST, PIN, PATH = ReferenceKind.LOAD_LIST, ReferenceKind.PIN, ReferenceKind.PATH
NEW_BESIDE_OLD = SettingEdit(LOAD_LIST, NEW, (), OLD)
NEW_FOR_OLD = SettingEdit(LOAD_LIST, NEW, (OLD,), OLD)
AT_THE_END = SettingEdit(ROOT_LIST, NEW, (), None)
WHOLE = replace(AT_THE_END, whole=True)
PINNED = SettingEdit("PIN", NEW, (OLD,), OLD)
OLD_PAIRS, NEW_PAIRS = (" ".join(text[at : at + 2] for at in range(0, 40, 2)) for text in (OLD, NEW))
COPIED = (
    f"\u200e{OLD_PAIRS}",
    f"{OLD_PAIRS}\u200e\r\n",
    OLD_PAIRS.replace(" ", "\u00a0"),
    OLD_PAIRS.replace(" ", "\t").lower(),
    OLD_PAIRS.replace(" ", ":"),
    OLD_PAIRS.replace(" ", "-"),
    OLD_PAIRS.replace(" ", "\u200e"),
    f"\ufeff{OLD}",
    f"{OLD[:10]}\u200b{OLD[10:]}",
    f'"{OLD}"',
    f"'{OLD_PAIRS}'",
)
KEYS = {"WEBSITE_LOAD_CERTIFICATES": True, "Website_Load_Certificates": True, "WEBSITE_LOAD_CERTIFICATES_": False}
KEYS |= {"WEB\u017fITE_LOAD_CERTIFICATES": False, "WEBS\u0131TE_LOAD_CERTIFICATES": False}  # no S and no I for Azure


def read(**values: str) -> SiteSettings:
    """Return the certificate references that Certroll reads from an app with these settings."""
    return read_settings(app_settings(values))


# --------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("value", "listed", "odd"),
    [
        pytest.param("", (), 0, id="nothing"),
        pytest.param(" , ,,", (), 0, id="blanks and commas alone"),
        pytest.param(OLD, (OLD,), 0, id="one"),
        pytest.param(f"{OLD},{FOREIGN}", (OLD, FOREIGN), 0, id="two, in their order"),
        pytest.param(f"{FOREIGN},{OLD}", (FOREIGN, OLD), 0, id="two the other way round"),
        pytest.param(f" {OLD} ,\t{FOREIGN}\n", (OLD, FOREIGN), 0, id="blanks around them"),
        pytest.param(f"{OLD},{OLD}", (OLD, OLD), 0, id="one twice"),
        pytest.param(f"{OLD},", (OLD,), 0, id="a comma behind it"),
        pytest.param(f",{OLD}", (OLD,), 0, id="a comma before it"),
        pytest.param(OLD.lower(), (OLD,), 0, id="lower case"),
        pytest.param(f"{OLD[:20]}{OLD[20:].lower()}", (OLD,), 0, id="mixed case"),
        pytest.param(f"{OLD},{OLD.lower()}", (OLD, OLD), 0, id="one twice, in either case"),
        pytest.param(f"{OLD},nonsense", (OLD,), 1, id="something else next to it"),
        pytest.param(f"{OLD};{FOREIGN}", (), 1, id="semicolons, which App Service does not know"),
        pytest.param(f"{OLD} {FOREIGN},x,y", (), 3, id="several that are no thumbprints"),
        pytest.param(f"{OLD}A,{OLD[1:]}", (), 2, id="a digit too many, and one too few"),
        pytest.param("G" * 40, (), 1, id="letters that are no hex digits"),
        pytest.param(f"{OLD},*", (OLD,), 0, id="a star next to it"),
        pytest.param(f"/var/ssl/private/{OLD}.p12", (), 1, id="a path, which no load list takes"),
    ],
)
def test_load_list_is_read(value: str, listed: tuple[Thumbprint, ...], odd: int) -> None:
    """Certroll reads each thumbprint of the setting WEBSITE_LOAD_CERTIFICATES in order, and counts other entries."""
    seen = read(WEBSITE_LOAD_CERTIFICATES=value)
    assert seen.load_list == listed
    assert seen.references == tuple(SettingReference(LOAD_LIST, LIST, thumbprint) for thumbprint in listed)
    assert (seen.odd_entries, seen.pins, seen.named) == (odd, (), frozenset(listed))


@pytest.mark.parametrize(
    ("value", "everything"),
    [
        pytest.param("*", True, id="a star"),
        pytest.param(" * ", True, id="a star between blanks"),
        pytest.param(f"{OLD}, *", True, id="a star next to a thumbprint"),
        pytest.param("**", False, id="two stars"),
        pytest.param(f"{OLD}*", False, id="a star at a thumbprint"),
        pytest.param(OLD, False, id="no star"),
    ],
)
def test_star_means_everything(value: str, *, everything: bool) -> None:
    """Only the entry `*` in the load list (the setting WEBSITE_LOAD_CERTIFICATES) loads every certificate."""
    assert read(WEBSITE_LOAD_CERTIFICATES=value).loads_everything is everything
    assert not read(PIN=value).loads_everything


@pytest.mark.parametrize("key", list(KEYS))
def test_name_of_the_load_list_has_no_case(key: str) -> None:
    """Certroll recognises the setting WEBSITE_LOAD_CERTIFICATES in any letter case, and keeps the name's spelling."""
    assert is_load_list(key) is KEYS[key]
    seen = read(**{key: OLD})
    assert seen.references == (SettingReference(key, LIST if KEYS[key] else PIN, OLD),)


def test_load_lists_of_several_cases_are_all_read() -> None:
    """Certroll reads two spellings of WEBSITE_LOAD_CERTIFICATES in a stable order, before other settings."""
    values = {"website_load_certificates": f"{FOREIGN},x", LOAD_LIST: f"*,y,{NEW}", "A": OLD}
    for order in (list(values), list(values)[::-1]):
        seen = read(**{key: values[key] for key in order})
        assert seen.references == (
            SettingReference(LOAD_LIST, LIST, NEW),
            SettingReference("website_load_certificates", LIST, FOREIGN),
            SettingReference("A", PIN, OLD),
        )
        assert (seen.loads_everything, seen.odd_entries) == (True, 2)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(OLD, PIN, id="a thumbprint"),
        pytest.param(OLD.lower(), PIN, id="a thumbprint in lower case"),
        pytest.param(f" {OLD}\n", PIN, id="a thumbprint between blanks"),
        *(pytest.param(text, PIN, id=f"a thumbprint as people copy it: {text!a}") for text in COPIED),
        pytest.param(f'"/var/ssl/private/{OLD}.p12"', PATH, id="Linux, in quotes"),
        pytest.param(f"\u200e/var/ssl/private/{OLD}.p12\ufeff", PATH, id="Linux, between invisible characters"),
        *(
            pytest.param(f"/var/ssl/{place}/{OLD}.{suffix}", PATH, id=f"Linux, {place}, .{suffix}")
            for place, suffix in (
                ("private", "p12"),
                ("private", "pfx"),
                ("certs", "der"),
                ("certs", "crt"),
                ("certs", "cer"),
            )
        ),
        *(
            pytest.param(rf"C:\appservice\certificates\{place}\{OLD}.{suffix}", PATH, id=f"Windows, {place}, .{suffix}")
            for place, suffix in (
                ("private", "pfx"),
                ("private", "p12"),
                ("public", "cer"),
                ("public", "der"),
                ("public", "crt"),
            )
        ),
        pytest.param(f"/var/ssl/private/{OLD.lower()}.p12", PATH, id="Linux, the thumbprint in lower case"),
        pytest.param(f"  /var/ssl/private/{OLD}.p12 ", PATH, id="Linux, between blanks"),
        pytest.param(f"c:/AppService/Certificates/Private/{OLD}.PFX", PATH, id="Windows, slashes and another case"),
    ],
)
def test_pin_is_read(value: str, kind: ReferenceKind) -> None:
    """Certroll reads a setting as a thumbprint if its whole value is a thumbprint or a certificate file's path."""
    seen = read(PIN=value)
    assert seen.references == seen.pins == (SettingReference("PIN", kind, OLD),)
    assert (seen.load_list, seen.named, seen.loads_everything, seen.odd_entries) == ((), frozenset({OLD}), False, 0)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"{OLD},{FOREIGN}", id="two thumbprints"),
        pytest.param(f"thumbprint={OLD}", id="a thumbprint within a text"),
        pytest.param(f"{OLD}0", id="a digit too many"),
        pytest.param(OLD[1:], id="a digit too few"),
        pytest.param("Z" * 40, id="letters that are no hex digits"),
        pytest.param(f"0x{OLD}", id="a number, which .NET's FindByThumbprint does not find either"),
        pytest.param(f"X509:{OLD}", id="a thumbprint behind a word"),
        pytest.param(f"/var/ssl/private/{OLD}", id="a path without its suffix"),
        pytest.param(f"/var/ssl/private/{OLD}xp12", id="a path without its dot"),
        pytest.param(f"/var/ssl/private/{OLD}.pem", id="a path with a suffix that Azure does not give"),
        pytest.param(f"/var/ssl/other/{OLD}.p12", id="another folder"),
        pytest.param(f"/VAR/SSL/private/{OLD}.p12", id="a Linux path in another case, which is another path"),
        pytest.param(f"/var/ssl/private/{OLD}.P12", id="a Linux suffix in another case, which is another file"),
        pytest.param(f"/mnt/var/ssl/private/{OLD}.p12", id="a path below another one"),
        pytest.param(rf"D:\appservice\certificates\private\{OLD}.pfx", id="another drive"),
        pytest.param(rf"C:\appservice\certificates\{OLD}.pfx", id="no folder of its kind"),
        pytest.param(rf"C:\appservice\certificates\private\{OLD}xpfx", id="a Windows path without its dot"),
        pytest.param(f"/var/ssl/private/{OLD}.p12;/var/ssl/private/{FOREIGN}.p12", id="two paths"),
    ],
)
def test_what_only_looks_like_a_pin_is_none(value: str) -> None:
    """Certroll ignores a setting whose value only resembles a thumbprint or a certificate's path."""
    assert read(PIN=value) == replace(named(), digests=app_settings({"PIN": value}).digests)


@pytest.mark.parametrize("key", ["WEBSITE_LOAD_ROOT_CERTIFICATES", "Website_Load_Root_Certificates"])
@pytest.mark.parametrize(
    ("value", "listed", "odd"),
    [
        pytest.param(OLD, (OLD,), 0, id="one"),
        pytest.param(f"{OLD.lower()},{FOREIGN}", (OLD, FOREIGN), 0, id="two, in their order, in any case"),
        pytest.param(f" {OLD}, {FOREIGN}", (OLD, FOREIGN), 0, id="with blanks, which a write takes out"),
        pytest.param(f"*,{OLD}", (OLD,), 1, id="a star, which means nothing there"),
        pytest.param("*", (), 1, id="a star alone"),
        pytest.param(f"{OLD},x,y", (OLD,), 2, id="others that are no thumbprints"),
        pytest.param("", (), 0, id="nothing"),
    ],
)
def test_root_list_is_read(key: str, value: str, listed: tuple[Thumbprint, ...], odd: int) -> None:
    """Certroll reads WEBSITE_LOAD_ROOT_CERTIFICATES only as a list of roots, in order, and counts other entries."""
    seen = read(**{key: value, LOAD_LIST: f"{NEW},z"})
    assert seen.root_list == listed
    assert (seen.load_list, seen.pins, seen.odd_entries, seen.odd_roots) == ((NEW,), (), 1, odd)
    assert not seen.loads_everything
    assert seen.named == {NEW, *listed}
    assert seen.without_roots.named == {NEW}
    roots = tuple(SettingReference(key, ReferenceKind.ROOT_LIST, thumbprint) for thumbprint in listed)
    assert seen.references == (SettingReference(LOAD_LIST, LIST, NEW), *roots)


def test_pins_are_read_in_a_stable_order() -> None:
    """Certroll reads WEBSITE_LOAD_CERTIFICATES first and then settings with a thumbprint, sorted by name.

    The order of app settings in Azure's answer has no effect.
    """
    values = {"Z": OLD, LOAD_LIST: FOREIGN, "A": f"/var/ssl/private/{NEW}.p12", "N": "1"}
    expected = (
        SettingReference(LOAD_LIST, LIST, FOREIGN),
        SettingReference("A", PATH, NEW),
        SettingReference("Z", PIN, OLD),
    )
    for order in (list(values), list(values)[::-1]):
        assert read(**{key: values[key] for key in order}).references == expected


PAIRS = [NEW[at : at + 2] for at in range(0, 40, 2)]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"it is {NEW.lower()} by now", id="inside a longer text"),
        pytest.param(":".join(PAIRS), id="with colons"),
        pytest.param(" ".join(PAIRS), id="with blanks"),
        pytest.param(f"sha1:{':'.join(PAIRS)}", id="with colons, after the word sha1"),
        pytest.param(f"SHA1 {' '.join(PAIRS)}", id="with blanks, after the word sha1"),
        pytest.param(f"FindValue={NEW.lower()};StoreName=My", id="in a connection string"),
        pytest.param(
            f"x=\u200e{' '.join(PAIRS).lower()};y=1", id="copied from the dialog of Windows into a longer text"
        ),
        pytest.param("{" + ", ".join(f"0x{pair}" for pair in PAIRS) + "}", id="as octets of a program"),
        pytest.param("; ".join(PAIRS), id="with semicolons"),
        pytest.param("\u00a0".join(PAIRS), id="with no-break spaces"),
    ],
)
def test_thumbprint_is_seen_however_it_is_written(value: str) -> None:
    """Before a deletion, Certroll finds the certificate's thumbprint in a setting in any of the tested notations."""
    assert NEW in read(NOTE=value).mentioned


def test_app_of_which_nothing_is_said_names_nothing() -> None:
    """If an app has no settings, Certroll reads no certificate reference from the app."""
    assert read() == SiteSettings(site_ref())


def test_site_and_digests_are_kept() -> None:
    """Certroll keeps a reference to the app and a digest of each app setting, so that it notices later changes."""
    whole = app_settings({"A": "1"}, site="api", slot="staging")
    seen = read_settings(whole)
    assert (seen.site, seen.digests) == (site_ref("api", "staging"), whole.digests)


V2 = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("inside", "reference"),
    [
        pytest.param(
            "SecretUri=https://kv-shop.vault.azure.net/secrets/shop", VaultReference("K", REF), id="a URI, no version"
        ),
        pytest.param(
            f"SecretUri=https://kv-shop.vault.azure.net/secrets/shop/{V2.upper()}",
            VaultReference("K", REF, V2),
            id="a URI with a version in upper case",
        ),
        pytest.param(
            "SecretUri=https://kv-shop.vault.azure.net/secrets/shop/",
            VaultReference("K", REF),
            id="a URI with a slash at its end",
        ),
        pytest.param(
            f"SecretUri=https://kv-shop.vault.azure.net/secrets/shop/{V2}",
            VaultReference("K", REF, V2),
            id="a URI with a version",
        ),
        pytest.param(
            f"SecretUri=https://kv-shop.vault.azure.net/secrets/shop/{V2}/",
            VaultReference("K", REF, V2),
            id="a URI with a version and a slash at its end",
        ),
        pytest.param(
            "secreturi = HTTPS://KV-Shop.Vault.Azure.Net/Secrets/SHOP ",
            VaultReference("K", REF),
            id="a URI in another case, between blanks",
        ),
        pytest.param(
            "SecretUri=https://kv-shop.vault.usgovcloudapi.net/secrets/shop",
            VaultReference("K", REF),
            id="a vault of another cloud",
        ),
        pytest.param("VaultName=kv-shop;SecretName=shop", VaultReference("K", REF), id="names, no version"),
        pytest.param(
            f"VaultName=kv-shop;SecretName=shop;SecretVersion={V2}",
            VaultReference("K", REF, V2),
            id="names with a version",
        ),
        pytest.param(
            "VaultName=kv-shop;SecretName=shop;SecretVersion=", VaultReference("K", REF), id="names, an empty version"
        ),
        pytest.param(
            f" secretversion={V2} ; SECRETNAME = Shop; vaultname = KV-SHOP ",
            VaultReference("K", REF, V2),
            id="names in another order and case, between blanks",
        ),
        pytest.param("VaultName=kv-shop;SecretName=other", VaultReference("K", OTHER_REF), id="another certificate"),
        pytest.param(
            "VaultName=kv-shop;\n SecretName=shop\n", VaultReference("K", REF), id="names on lines of their own"
        ),
    ],
)
def test_key_vault_reference_is_read(inside: str, reference: VaultReference) -> None:
    """Certroll reads vault object and version from both forms of a Key Vault reference in an app setting."""
    for value in (f"@Microsoft.KeyVault({inside})", f" @microsoft.keyvault({inside})\n"):
        seen = read(K=value)
        assert (seen.vault_references, seen.references) == ((reference,), ())


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("https://kv-shop.vault.azure.net/secrets/shop", id="a plain URI"),
        pytest.param("@Microsoft.KeyVault()", id="nothing inside"),
        pytest.param("@Microsoft.KeyVault(VaultName=kv-shop)", id="no name"),
        pytest.param("@Microsoft.KeyVault(SecretName=shop)", id="no vault"),
        pytest.param("@Microsoft.KeyVault(VaultName=kv;SecretName=a_b)", id="a name that no vault takes"),
        pytest.param(
            "@Microsoft.KeyVault(SecretUri=https://kv-shop.vault.azure.net/certificates/shop)", id="not a secret"
        ),
        pytest.param("@Microsoft.KeyVault(SecretUri=https://kv-shop/secrets/shop)", id="a host without a domain"),
        pytest.param("@Microsoft.KeyVault(SecretUri=http://kv-shop.vault.azure.net/secrets/shop)", id="not https"),
        pytest.param(
            "@Microsoft.KeyVault(SecretUri=https://kv-shop.vault.azure.net/secrets/shop/a/b)", id="a longer path"
        ),
        pytest.param("@Microsoft.KeyVault(SecretUri=https://kv-shop.vault.azure.net/secrets/)", id="a URI of no name"),
        pytest.param("@Microsoft.KeyVault(VaultName=kv-shop;SecretName=shop", id="not closed"),
        pytest.param("@Microsoft.KeyVault(VaultName=kv-shop;SecretName=shop)x", id="something after it"),
        pytest.param("x@Microsoft.KeyVault(VaultName=kv-shop;SecretName=shop)", id="something before it"),
    ],
)
def test_what_only_looks_like_a_key_vault_reference_is_none(value: str) -> None:
    """Certroll ignores a setting's value that App Service would not resolve as a Key Vault reference."""
    assert read(K=value).vault_references == ()


def test_key_vault_references_are_read_in_a_stable_order() -> None:
    """Certroll reads Key Vault references of an app in a stable order, and without a resolved version."""
    shop, two = ("@Microsoft.KeyVault(VaultName=kv-shop;SecretName=" + name + ")" for name in ("shop", "other"))
    expected = VaultReference("A", REF, None, None), VaultReference("B", OTHER_REF, None, None)
    assert read(A=shop, B=two, C="x").vault_references == expected
    assert read(C="x", B=two, A=shop).vault_references == expected


# --------------------------------------------------------------------------------------------------------- editing


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        pytest.param(OLD, NEW_BESIDE_OLD, f"{OLD},{NEW}", id="next to the only one"),
        pytest.param(f"{OLD},{FOREIGN}", NEW_BESIDE_OLD, f"{OLD},{NEW},{FOREIGN}", id="next to the first"),
        pytest.param(f"{FOREIGN},{OLD}", NEW_BESIDE_OLD, f"{FOREIGN},{OLD},{NEW}", id="next to the last"),
        pytest.param(
            f"{OLD},{FOREIGN},{OLD},{OLDER}",
            NEW_BESIDE_OLD,
            f"{OLD},{FOREIGN},{OLD},{NEW},{OLDER}",
            id="behind the last of two",
        ),
        pytest.param(
            f" {OLD.lower()} , {FOREIGN.lower()},,x, * ",
            NEW_BESIDE_OLD,
            f" {OLD.lower()} ,{NEW.lower()}, {FOREIGN.lower()},,x, * ",
            id="others keep every character, the new one has the case of its neighbour and no blanks",
        ),
        pytest.param(OLD, NEW_FOR_OLD, NEW, id="in place of the only one"),
        pytest.param(
            f"{OLDER},{OLD},{FOREIGN}", NEW_FOR_OLD, f"{OLDER},{NEW},{FOREIGN}", id="in place of one between others"
        ),
        pytest.param(
            f"{OLD.lower()},{FOREIGN},{OLD},{OLDER}",
            NEW_FOR_OLD,
            f"{FOREIGN},{NEW},{OLDER}",
            id="in place of one that is there twice",
        ),
        pytest.param(
            f"{OLDER},{FOREIGN},{OLD},{OLDER},x",
            SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
            f"{FOREIGN},{OLD},{NEW},x",
            id="next to one while another leaves",
        ),
        pytest.param(
            f"{OLDER},{FOREIGN}",
            SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
            f"{FOREIGN},{NEW}",
            id="at the end, where what it should go next to is gone and what is to leave is not",
        ),
        pytest.param(
            f"{OLD.lower()},{FOREIGN},{OLDER.lower()}",
            SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
            f"{OLD.lower()},{NEW.lower()},{FOREIGN}",
            id="next to one in lower case while another in lower case leaves",
        ),
        pytest.param(
            f"{FOREIGN},{OLD},{OLDER.lower()},{FOREIGN}",
            SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
            f"{FOREIGN},{OLD},{NEW},{FOREIGN}",
            id="next to one while the next, in lower case, leaves",
        ),
        pytest.param(
            f"{NEW.lower()},{OLD},{FOREIGN}", NEW_FOR_OLD, f"{NEW.lower()},{FOREIGN}", id="there already: only removed"
        ),
        pytest.param(
            f"{OLD}, {NEW},{FOREIGN}",
            SettingEdit(LOAD_LIST, None, (OLD,), NEW),
            f" {NEW},{FOREIGN}",
            id="only taken out",
        ),
        pytest.param(
            f"{OLDER},{NEW},{OLD}", SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW), NEW, id="several taken out"
        ),
        pytest.param(f"{OLD} , {NEW},,", NEW_BESIDE_OLD, f"{OLD} , {NEW},,", id="so already: not even blanks change"),
        pytest.param(
            f"{NEW} ,x", SettingEdit(LOAD_LIST, None, (OLD,), NEW), f"{NEW} ,x", id="out already: nothing changes"
        ),
    ],
)
def test_load_list_is_edited(before: str, edit: SettingEdit, after: str) -> None:
    """Certroll adds the new thumbprint to WEBSITE_LOAD_CERTIFICATES and removes superseded thumbprints.

    Certroll keeps all other entries of WEBSITE_LOAD_CERTIFICATES.
    """
    assert edited(LOAD_LIST, before, edit) == after
    assert edited(LOAD_LIST, after, edit) == after
    assert edited("website_load_certificates", before, edit) == after
    assert is_done(LOAD_LIST, after, edit)


@pytest.mark.parametrize(
    ("value", "edit"),
    [
        pytest.param(f" {FOREIGN},{OLDER}", NEW_BESIDE_OLD, id="what it should go next to is not there"),
        pytest.param("", NEW_BESIDE_OLD, id="the list is empty"),
        pytest.param("*", NEW_BESIDE_OLD, id="the list became a star"),
        pytest.param(FOREIGN, inverse(NEW_BESIDE_OLD)[0], id="what is to be taken back is gone"),
    ],
)
def test_edit_that_does_not_apply_changes_nothing(value: str, edit: SettingEdit) -> None:
    """If the thumbprint that an edit refers to is gone, Certroll leaves WEBSITE_LOAD_CERTIFICATES unchanged."""
    assert edited(LOAD_LIST, value, edit) == value
    assert not is_done(LOAD_LIST, value, edit)


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        pytest.param(OLD, NEW_BESIDE_OLD, f"{OLD},{NEW}", id="next to the only one"),
        pytest.param(f"{FOREIGN}, {OLD}", NEW_BESIDE_OLD, f"{FOREIGN}, {OLD},{NEW}", id="the blank stays"),
        pytest.param(f"*,{OLD},x", NEW_BESIDE_OLD, f"*,{OLD},{NEW},x", id="a star is an entry like any other"),
        pytest.param("", AT_THE_END, NEW, id="at the end of nothing"),
        pytest.param(f"{FOREIGN.lower()},x", AT_THE_END, f"{FOREIGN.lower()},x,{NEW}", id="at the end of others'"),
        pytest.param(f"{NEW.lower()},{FOREIGN}", AT_THE_END, f"{NEW.lower()},{FOREIGN}", id="there already"),
        pytest.param(f"{FOREIGN},{NEW},x", inverse(AT_THE_END)[0], f"{FOREIGN},x", id="taken away again"),
        pytest.param(NEW, inverse(AT_THE_END)[0], "", id="taken away again, and nothing is left"),
        pytest.param(f" {FOREIGN}", inverse(AT_THE_END)[0], f" {FOREIGN}", id="gone already: nothing changes"),
    ],
)
def test_root_list_is_edited(before: str, edit: SettingEdit, after: str) -> None:
    """Certroll edits the root list (the setting WEBSITE_LOAD_ROOT_CERTIFICATES) like WEBSITE_LOAD_CERTIFICATES.

    Certroll appends a root without a predecessor to WEBSITE_LOAD_ROOT_CERTIFICATES.
    """
    for key in (ROOT_LIST, ROOT_LIST.lower()):
        assert edited(key, before, edit) == after
        assert edited(key, after, edit) == after
        assert is_done(key, after, edit)


@pytest.mark.parametrize(
    ("before", "edit", "after"),
    [
        pytest.param({}, WHOLE, {ROOT_LIST: NEW}, id="it is made"),
        pytest.param({ROOT_LIST: FOREIGN}, WHOLE, {ROOT_LIST: f"{FOREIGN},{NEW}"}, id="somebody was faster"),
        pytest.param({}, AT_THE_END, {}, id="it is gone: it is not made again"),
        pytest.param({}, NEW_BESIDE_OLD, {}, id="what is edited is gone"),
        pytest.param({ROOT_LIST: NEW}, inverse(WHOLE)[0], {}, id="it goes with the last entry"),
        pytest.param({}, inverse(WHOLE)[0], {}, id="it went already"),
        pytest.param({ROOT_LIST: f"{NEW},x"}, inverse(WHOLE)[0], {ROOT_LIST: "x"}, id="it stays for others"),
        pytest.param({ROOT_LIST: NEW}, inverse(AT_THE_END)[0], {ROOT_LIST: ""}, id="it was there, and stays empty"),
    ],
)
def test_setting_comes_and_goes_as_a_whole(before: dict[str, str], edit: SettingEdit, after: dict[str, str]) -> None:
    """Certroll creates a missing app setting, and removes it again when the edit is undone.

    An app setting that existed before Certroll's edit stays when Certroll undoes the edit.
    """
    others = {"A": "1"}
    assert edited_values(before | others, (edit,)) == after | others
    assert all_done(after | others, (edit,)) is (edit.whole or bool(after))
    assert all_done(before | others, (edit,)) is (before == after and edit.whole)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OLD, NEW, id="a thumbprint"),
        pytest.param(OLD.lower(), NEW.lower(), id="a thumbprint in lower case"),
        pytest.param(f"{OLD[:20]}{OLD[20:].lower()}", NEW, id="a thumbprint in mixed case"),
        pytest.param(f'"{OLD}"', f'"{NEW}"', id="in quotes"),
        pytest.param(f"\u200e{OLD_PAIRS}\n", f"\u200e{NEW_PAIRS}\n", id="as the dialog of Windows copies it"),
        pytest.param(OLD_PAIRS.replace(" ", ":").lower(), NEW_PAIRS.replace(" ", ":").lower(), id="colons, lower case"),
        pytest.param(f"\t{OLD} \n", f"\t{NEW} \n", id="blanks around it stay"),
        pytest.param(f"/var/ssl/private/{OLD}.p12", f"/var/ssl/private/{NEW}.p12", id="a Linux path"),
        pytest.param(
            f" /var/ssl/certs/{OLD.lower()}.der", f" /var/ssl/certs/{NEW.lower()}.der", id="with blanks, lower case"
        ),
        pytest.param(
            rf"c:\appservice\Certificates\public\{OLD}.cer",
            rf"c:\appservice\Certificates\public\{NEW}.cer",
            id="a Windows path keeps its case",
        ),
        pytest.param(NEW, NEW, id="it is so already"),
        pytest.param(FOREIGN, FOREIGN, id="it names another"),
        pytest.param(f"/var/ssl/private/{FOREIGN}.p12", f"/var/ssl/private/{FOREIGN}.p12", id="a path of another"),
        pytest.param(f"{OLD},{FOREIGN}", f"{OLD},{FOREIGN}", id="it is no pin"),
        pytest.param("", "", id="it is empty"),
    ],
)
def test_pin_is_edited(before: str, after: str) -> None:
    """Certroll replaces an old thumbprint that a setting has as its value, and keeps the rest of the value."""
    assert edited("PIN", before, PINNED) == after
    assert edited("PIN", after, PINNED) == after


def test_pin_is_never_emptied() -> None:
    """If an edit adds no thumbprint, Certroll leaves a setting that has a thumbprint unchanged.

    Without its thumbprint, a setting that consists of one thumbprint would be empty and name no certificate.
    """
    assert edited("PIN", OLD, SettingEdit("PIN", None, (OLD,), NEW)) == OLD


@pytest.mark.parametrize(
    ("key", "value", "edit", "done"),
    [
        pytest.param(LOAD_LIST, f"{OLD},{NEW}", NEW_BESIDE_OLD, True, id="a list with both"),
        pytest.param(LOAD_LIST, NEW.lower(), NEW_BESIDE_OLD, True, id="a list with the new one alone"),
        pytest.param(LOAD_LIST, OLD, NEW_BESIDE_OLD, False, id="a list without the new one"),
        pytest.param(LOAD_LIST, f"{OLD},{NEW}", NEW_FOR_OLD, False, id="a list that still has what is to leave"),
        pytest.param(LOAD_LIST, NEW, NEW_FOR_OLD, True, id="a list that has it no more"),
        pytest.param(LOAD_LIST, "*", NEW_BESIDE_OLD, False, id="a list that names nothing"),
        pytest.param(LOAD_LIST, f"{NEW},x", SettingEdit(LOAD_LIST, None, (OLD,), NEW), True, id="taken out of a list"),
        pytest.param(LOAD_LIST, f"{NEW},{OLD}", SettingEdit(LOAD_LIST, None, (OLD,), NEW), False, id="still in a list"),
        pytest.param("PIN", NEW, PINNED, True, id="a pin of the new one"),
        pytest.param("PIN", f"/var/ssl/private/{NEW}.p12", PINNED, True, id="a path of the new one"),
        pytest.param("PIN", OLD, PINNED, False, id="a pin of the old one"),
        pytest.param("PIN", FOREIGN, PINNED, False, id="a pin of another"),
        pytest.param("PIN", "x", PINNED, False, id="no pin any more"),
    ],
)
def test_edit_is_known_to_be_done(key: str, value: str, edit: SettingEdit, *, done: bool) -> None:
    """An edit of a setting counts as done if the value names the added thumbprint and no removed thumbprint."""
    assert is_done(key, value, edit) is done


def test_edits_are_projected_onto_what_is_read() -> None:
    """A plan's predicted app settings show the edited lists and thumbprints, and keep all other values."""
    before = read(WEBSITE_LOAD_CERTIFICATES=f"{FOREIGN},{OLD},x", PIN=OLD, Q=f"/var/ssl/private/{OLD}.p12", R=FOREIGN)
    edits = NEW_BESIDE_OLD, PINNED, SettingEdit("Q", NEW, (OLD,), OLD)
    after = read(
        WEBSITE_LOAD_CERTIFICATES=f"{FOREIGN},{OLD},{NEW},x", PIN=NEW, Q=f"/var/ssl/private/{NEW}.p12", R=FOREIGN
    )
    assert edited_settings(before, edits) == replace(after, digests=before.digests)


def test_edit_of_a_load_list_that_is_not_there_is_not_projected() -> None:
    """A plan's predicted app settings lack WEBSITE_LOAD_CERTIFICATES if the app has none, even after an edit."""
    assert edited_settings(named(), (NEW_BESIDE_OLD,)) == named()


@pytest.mark.parametrize(
    ("edit", "back"),
    [
        pytest.param(
            NEW_BESIDE_OLD,
            SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),
            id="of an overlap: the new one leaves, the old one is there",
        ),
        pytest.param(
            NEW_FOR_OLD,
            SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),
            id="of a change without overlap: the old one comes in its place",
        ),
        pytest.param(PINNED, SettingEdit("PIN", OLD, (NEW,), NEW), id="of a pin"),
        pytest.param(
            SettingEdit(LOAD_LIST, None, (OLD,), NEW),
            SettingEdit(LOAD_LIST, OLD, (), NEW),
            id="of a retirement: the old one comes back",
        ),
    ],
)
def test_edit_says_how_it_is_taken_back(edit: SettingEdit, back: SettingEdit) -> None:
    """The undo of Certroll's edit to an app setting restores the last good value."""
    assert inverse(edit) == (back,)


@pytest.mark.parametrize(
    ("now", "after"),
    [
        pytest.param(f"{FOREIGN},{NEW}", f"{OLD},{FOREIGN},{NEW}", id="nothing was changed since"),
        pytest.param(f"{FOREIGN},{NEW},{OLD.lower()}", f"{FOREIGN},{NEW},{OLD.lower()}", id="somebody put it back"),
        pytest.param(NEW, f"{OLD},{NEW}", id="somebody took another entry out"),
    ],
)
def test_what_was_removed_comes_back_in_its_place(now: str, after: str) -> None:
    """Certroll puts a removed thumbprint back before the entries that followed it, and never twice."""
    (back,) = inverse(replace(SettingEdit(LOAD_LIST, None, (OLD,), NEW), was=f"{OLD},?,?"))
    assert edited(LOAD_LIST, now, back) == after


def test_bad_version_does_not_come_back() -> None:
    """An undo that leaves a bad version out keeps the places of all other entries."""
    (back,) = inverse(replace(SettingEdit(LOAD_LIST, None, (OLD,), NEW), was=f"{OLD},?"))
    assert restoring_without(back, lambda found: found == OLD).restores == "?"
    assert restoring_without(back, lambda found: found == NEW) == back


def test_setting_without_a_value_is_not_done() -> None:
    """A setting whose value is null names no thumbprint, so an edit of it is still to be done."""
    assert not all_done({LOAD_LIST: None}, (NEW_BESIDE_OLD,))
    assert all_done({LOAD_LIST: None}, (SettingEdit(LOAD_LIST, None, (OLD,), NEW),))
    assert read_settings(AppSettings(site_ref(), {LOAD_LIST: None, "PIN": None}, {})).named == frozenset()


def test_all_that_was_retired_comes_back() -> None:
    """An undone edit that had removed several versions from an app's settings restores each of these versions."""
    back = inverse(SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW))
    assert back == (SettingEdit(LOAD_LIST, OLD, (), NEW), SettingEdit(LOAD_LIST, OLDER, (), NEW))


@pytest.mark.parametrize(
    ("now", "then", "changed"),
    [
        pytest.param({"A": "1", "B": "2"}, {"A": "1", "B": "2"}, (), id="nothing"),
        pytest.param({"A": "1", "B": "3"}, {"A": "1", "B": "2"}, ("B",), id="a value"),
        pytest.param({"A": "1"}, {"A": "1", "B": "2"}, ("B",), id="one is gone"),
        pytest.param({"A": "1", "B": "2", "C": "3"}, {"A": "1", "B": "2"}, ("C",), id="one is new"),
        pytest.param({"PIN": "9", "A": "1"}, {"PIN": "1", "A": "1"}, (), id="only the one that is edited"),
        pytest.param({"A": "1"}, {"PIN": "1", "A": "1"}, (), id="the one that is edited is gone"),
        pytest.param({"C": "1", "A": "1"}, {"B": "1"}, ("A", "B", "C"), id="everything, by name"),
    ],
)
def test_what_others_changed_is_named(now: dict[str, str], then: dict[str, str], changed: tuple[str, ...]) -> None:
    """Certroll names the settings that another writer changed, added or removed, and omits its own edits."""
    assert changed_elsewhere(now, then, (PINNED,)) == changed


# --------------------------------------------------------------------------------------------------------- secrecy


def test_no_value_shows_in_a_representation() -> None:
    """The text form of an app's settings shows neither values nor thumbprints nor digests."""
    whole = app_settings({"PASSWORD": "open sesame", "PIN": FOREIGN, "K": f"/var/ssl/private/{OLD}.p12"}, etag='"1"')
    seen = read_settings(whole)
    printed = f"{whole!r}{whole}{seen!r}{seen}{seen.references!r}{seen.references[0]}"
    for hidden in ("sesame", "PASSWORD", FOREIGN, OLD, *whole.digests.values()):
        assert hidden not in printed
    assert "shop" in repr(whole)
    assert "PIN" in repr(seen)


KEY_VAULT = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/roots)"
CONFIGURATION = f"@Microsoft.AppConfiguration(Endpoint=https://a.azconfig.io; Key=k; Label=x,{OLD},*,y)"
NO_LISTS = {
    "a Key Vault reference": KEY_VAULT,
    "an App Configuration reference": CONFIGURATION,
    "a reference in other letters": f"  @microsoft.keyvault(VaultName=kv;SecretName=roots),{OLD}",
    "a wrong entry": "nonsense",
    "semicolons": f"{OLD};{FOREIGN}",
}


@pytest.mark.parametrize("key", [LOAD_LIST, ROOT_LIST])
@pytest.mark.parametrize("form", NO_LISTS)
def test_what_is_no_list_is_never_edited(key: str, form: str) -> None:
    """No edit changes a list setting whose value is a reference or has no thumbprint."""
    value = NO_LISTS[form]
    seen = read_settings(app_settings({key: value}))
    assert (seen.no_lists, seen.references, seen.loads_everything) == ({key}, (), False)
    for edit in (
        SettingEdit(key, NEW, (), None),
        SettingEdit(key, NEW, (), None, whole=True),
        SettingEdit(key, NEW, (OLD,), OLD),
        SettingEdit(key, None, (OLD,), NEW),
        SettingEdit(key, OLD, (NEW,), NEW, restores=f"{OLD},?"),
    ):
        assert edited(key, value, edit) == value
        assert edited_values({key: value}, [edit]) == {key: value}
    assert edited("PIN", value, SettingEdit("PIN", NEW, (OLD,), OLD)) == value


def test_a_star_is_a_load_list_and_no_root_list() -> None:
    """The value `*` alone is a load list, and no root list to which Certroll adds a thumbprint."""
    assert read_settings(app_settings({LOAD_LIST: "*"})).no_lists == frozenset()
    assert read_settings(app_settings({ROOT_LIST: "*"})).no_lists == {ROOT_LIST}
    for key in (LOAD_LIST, ROOT_LIST):
        assert edited(key, "*", SettingEdit(key, NEW, (), None)) == "*"


@pytest.mark.parametrize("value", ["", " , ", OLD, f"{OLD},nonsense"])
def test_a_list_takes_a_thumbprint(value: str) -> None:
    """A list with a thumbprint, or without any entry, is a list that Certroll extends."""
    assert read_settings(app_settings({ROOT_LIST: value})).no_lists == frozenset()
    assert NEW in edited(ROOT_LIST, value, SettingEdit(ROOT_LIST, NEW, (), None))


def test_setting_without_a_value_names_nothing() -> None:
    """A setting whose value is null names no certificate, and the other settings of the app are read."""
    values = {LOAD_LIST: None, "EMPTY": None, "PIN": OLD}
    assert read_settings(replace(app_settings({}), values=values)).named == {OLD}
