"""This function app has one queue function, whose queue the setting SOLO_QUEUE names."""

import json
import os
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

    A message with a file path makes the function run until that file exists, after the function has made a file
    `begun-{message id}` in the same folder. The function fails if the file says so.
    The message `fail` makes the function fail. The message `die` ends the worker process at the first delivery.
    """
    global running  # noqa: PLW0603 - what is measured
    body = message.get_body().decode()
    with lock:
        running += 1
        seen = running
    try:
        if body == "fail":
            raise RuntimeError("asked to fail")
        if body == "die" and (message.dequeue_count or 0) < 2:
            os._exit(1)
        if body == "die":
            body = "0"
        if body.startswith("/"):
            Path(body).with_name(f"begun-{message.id}").touch()
            while not Path(body).exists():
                threading.Event().wait(0.02)
            if Path(body).read_text() == "fail":
                raise RuntimeError("asked to fail")
        else:
            threading.Event().wait(float(body))
    finally:
        with lock:
            running -= 1
    done.set(json.dumps({"count": message.dequeue_count, "running": seen}))
