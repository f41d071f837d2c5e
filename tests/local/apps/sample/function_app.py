"""This small function app uses every trigger that the local host supports."""

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
    """Queue two messages for an event of Event Grid, or raise an error if the event asks for a failure."""
    data = json.loads(event).get("data")
    if data == "fail":
        raise RuntimeError("asked to fail")
    work.set([f"first {data}", f"second {data}"])


@app.queue_trigger(arg_name="message", queue_name="work", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="done", connection="AzureWebJobsStorage")
def on_work(message: func.QueueMessage, done: func.Out[str], context: func.Context) -> None:
    """Copy the message with its dequeue count to the queue `done`, or fail if the text starts with `fail`."""
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
    """Copy a message of the poison queue to the queue `buried`."""
    return message


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%")
@app.queue_output(arg_name="done", queue_name="ticks", connection="AzureWebJobsStorage")
def on_time(timer: func.TimerRequest, done: func.Out[str]) -> None:
    """Put a message into the queue `ticks` each time the timer fires."""
    done.set(f"tick past_due={timer.past_due}")


@app.route(
    trigger_arg_name="request", route="things/{thing}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION
)
async def on_request(request: func.HttpRequest) -> func.HttpResponse:
    """Answer an HTTP request with its route value, query parameter and body."""
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
    """Answer an HTTP request with text, or raise an error if the request asks for a failure."""
    if request.params.get("fail"):
        raise RuntimeError("asked to fail")
    return "open"


@app.route(route="sorted/{kind:regex(^(red|blue)$)}/{count:int}", auth_level=func.AuthLevel.ANONYMOUS)
def on_sorted(req: func.HttpRequest) -> str:
    """Answer with the route values of the request."""
    return f"{req.route_params['kind']} {req.route_params['count']}"
