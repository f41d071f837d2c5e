"""Certroll: the Function App."""

import azure.functions as func

from functions import events, operations, queues, timers
from shared.telemetry import quiet_sdks

quiet_sdks()

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

for triggers in (events, queues, timers, operations):
    app.register_functions(triggers.blueprint)
