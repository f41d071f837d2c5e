"""Certroll: the Function App."""

from functools import cache

import azure.functions as func

from functions import (
    certificates_queue,
    environments_queue,
    holds,
    poison_queue,
    sites_queue,
    starts_timer,
    sweep_timer,
    vault_event,
)
from shared.runtime import Runtime

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
runtime = cache(Runtime)

for module in (
    vault_event,
    certificates_queue,
    sites_queue,
    environments_queue,
    poison_queue,
    holds,
    sweep_timer,
    starts_timer,
):
    app.register_functions(module.blueprint(runtime))
