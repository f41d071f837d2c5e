"""This function app has one queue function, whose queue the setting SOLO_QUEUE names."""

import json
import threading
from pathlib import Path

import azure.functions as func

app = func.FunctionApp()
lock = threading.Lock()
running = 0


@app.queue_trigger(arg_name="message", queue_name="%SOLO_QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="done", queue_name="%SOLO_QUEUE%-done", connection="AzureWebJobsStorage")
def solo(message: func.QueueMessage, done: func.Out[str]) -> None:
    """Run for as many seconds as the message says, and report the number of concurrent invocations.

    A message with a file path makes the function run until that file exists.
    The message `fail` makes the function fail.
    """
    global running  # noqa: PLW0603 - what is measured
    body = message.get_body().decode()
    with lock:
        running += 1
        seen = running
    try:
        if body == "fail":
            raise RuntimeError("asked to fail")
        if body.startswith("/"):
            while not Path(body).exists():
                threading.Event().wait(0.02)
        else:
            threading.Event().wait(float(body))
    finally:
        with lock:
            running -= 1
    done.set(json.dumps({"count": message.dequeue_count, "running": seen}))
