"""The knobs that the contract settles, with the settings that a test can tell apart, and all other knobs."""

SETTINGS: dict[str, tuple[object, ...]] = {
    "aes_pfx_refused": (False, True),
    "certificates_show_created": (True, False),
    "correlation_kept": (True, False),
    "environment_webspaces": ("per plan group", "one"),
    "if_match_honoured": (False, True),
    "import_needs_certificates_get": (True, False),
    "import_rewrites_load_list": (False, True),
    "ip_binding_without_state": ("unbound", "kept"),
    "managed_hides_thumbprint": (True, False),
    "managed_issuance_seconds": (20.0, 0.0, 90.0),
    "mismatch_refused": (True, False),
    "missing_site": ("ResourceNotFound", "empty"),
    "public_certificate_flaps": (0, 0, 3),
    "reads_until_visible": (0, 2),
    "role_seconds": (0.0, 300.0),
    "roots_show_blob": (True, False),
    "roots_show_thumbprint": (True, False),
    "second_import_same_thumbprint": ("accept", "refuse", "resolve"),
    "serial_octets": (20, 10),
    "settings_write_moves_modified": (True, False),
    "sync_moves_bindings": (True, False),
    "wrong_echo": (False, True),
}
"""The settings of each knob that a test of this suite tells apart, beginning with the default.

The nth value is the setting in the nth simulated world. Reads that flap and reads that lag look alike, so no world has
both.
"""

FLEX = "a Flex Consumption app needs a storage account and a deployment, which the suite does not make"
APP = "it needs an app that answers which certificate it uses; docs/how-to/probe-an-app.md shows one"
MONEY = "money: it takes the purchase of a certificate, and the suite only reads an order"
UNSETTLED: dict[str, str] = {
    "certificate_events_have_secret_twins": "it needs an Event Grid subscription and a storage queue of one's own",
    "certificates_per_flex_site": FLEX,
    "certificates_per_webspace": "a limit: it takes 1,001 uploads",
    "flex_uses_webspace_certificates": FLEX,
    "internal_environments": "no behaviour of Azure: it says from where the client looks",
    "old_process_answers": APP,
    "order_patch_forgets": MONEY,
    "order_store_stays_initialized": MONEY,
    "orders_renew_themselves": f"months and {MONEY}",
    "orders_show_late": MONEY,
    "page_size": "no behaviour of Azure: a small value makes the tests follow nextLink",
    "public_certificates_per_plan": "a limit: it takes 1,001 uploads",
    "restart_seconds": APP,
    "site_certificates_hide_host_names": FLEX,
    "settings_posts": "a limit: it takes hundreds of reads of settings in a subscription of one's own",
    "slow_front_end": "DNS: it takes handshakes with a name whose record leads to the site from everywhere",
    "throttling": "a limit: it takes 250 reads in ten seconds",
}
"""The knobs that no test of this suite settles, each with the reason why an hour cannot."""


def worlds() -> tuple[dict[str, object], ...]:
    """Return the simulated worlds that together have every setting, as the settings of their knobs.

    The first world has the defaults. A test settles a knob by Azure's answers, whatever the other knobs are.
    """
    most = max(len(values) for values in SETTINGS.values())
    return tuple({knob: values[world % len(values)] for knob, values in SETTINGS.items()} for world in range(most))
