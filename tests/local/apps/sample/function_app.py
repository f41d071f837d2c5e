"""A small app that uses every trigger the local host has."""

import json
import logging
import threading
from typing import List  # noqa: UP035 - the runtime refuses list[str]

import azure.functions as func

app = func.FunctionApp()
log = logging.getLogger(__name__)
barrier = threading.Barrier(2)


@app.event_grid_trigger(arg_name="event")
@app.queue_output(arg_name="work", queue_name="work", connection="AzureWebJobsStorage")
def on_event(event: str, work: func.Out[List[str]]) -> None:  # noqa: UP006 - the runtime refuses list[str]
    """Queues two messages for a good event; raises if the event asks for it."""
    data = json.loads(event).get("data")
    if data == "fail":
        raise RuntimeError("asked to fail")
    work.set([f"first {data}", f"second {data}"])


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="done", connection="AzureWebJobsStorage")
def on_work(message: func.QueueMessage, done: func.Out[str], context: func.Context) -> None:
    """Copies the message with its dequeue count to `done`; a message starting with `fail` fails."""
    body = message.get_body().decode()
    log.info("work %s", body)
    if body.startswith("fail"):
        raise RuntimeError(f"asked to fail at count {message.dequeue_count}")
    if body.startswith("meet"):
        barrier.wait()
    done.set(json.dumps({"body": body, "count": message.dequeue_count, "function": context.function_name}))


@app.queue_trigger(arg_name="message", queue_name="work-poison", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="$return", queue_name="buried", connection="AzureWebJobsStorage")
def on_poison(message: str) -> str:
    """Copies the message to `buried`."""
    return message


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
@app.queue_output(arg_name="done", queue_name="ticks", connection="AzureWebJobsStorage")
def on_time(timer: func.TimerRequest, done: func.Out[str]) -> None:
    """Puts a tick into `ticks`."""
    done.set(f"tick past_due={timer.past_due}")


@app.route(
    trigger_arg_name="request", route="things/{thing}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION
)
async def on_request(request: func.HttpRequest) -> func.HttpResponse:
    """Echoes what it was asked."""
    payload = {
        "thing": request.route_params["thing"],
        "Colour": request.params.get("Colour"),
        "body": request.get_body().decode(),
    }
    return func.HttpResponse(
        json.dumps(payload), status_code=201, headers={"x-own": "yes"}, mimetype="application/json"
    )


@app.route(trigger_arg_name="request", route="open", auth_level=func.AuthLevel.ANONYMOUS)
def on_open(request: func.HttpRequest) -> str:
    """Answers with text, or fails."""
    if request.params.get("fail"):
        raise RuntimeError("asked to fail")
    return "open"


@app.route(route="sorted/{kind:regex(^(red|blue)$)}/{count:int}", auth_level=func.AuthLevel.ANONYMOUS)
def on_sorted(req: func.HttpRequest) -> str:
    """Answers with its route values."""
    return f"{req.route_params['kind']} {req.route_params['count']}"
