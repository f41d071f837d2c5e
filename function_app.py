"""Certroll: the Function App."""

import azure.functions as func

from functions import events, operations, queues, timers

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

for triggers in (events, queues, timers, operations):
    app.register_functions(triggers.blueprint)
