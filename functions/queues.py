"""Handle the messages of Certroll's storage queues, and of the poison queues for messages that failed five times."""

import azure.functions as func

from functions import runtime
from shared.controllers.intake.queues import on_certificate, on_environment, on_events, on_poison, on_site, on_sweep
from shared.domain.message_text import decoded
from shared.domain.messages import CERTIFICATES, ENVIRONMENTS, EVENTS, POISON_SUFFIX, SITES, SWEEPS

STORAGE = "AzureWebJobsStorage"

blueprint = func.Blueprint()


@blueprint.queue_trigger(arg_name="message", queue_name=CERTIFICATES, connection=STORAGE)
def certificates_queue(message: func.QueueMessage) -> None:
    """Reconcile one vault certificate."""
    with runtime().run() as run:
        on_certificate(run, _text(message), message.dequeue_count or 1)


@blueprint.queue_trigger(arg_name="message", queue_name=SITES, connection=STORAGE)
def sites_queue(message: func.QueueMessage) -> None:
    """Reconcile one site or slot, and check which certificate the site serves."""
    with runtime().run() as run:
        on_site(run, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=ENVIRONMENTS, connection=STORAGE)
def environments_queue(message: func.QueueMessage) -> None:
    """Stop and start the apps of one App Service Environment, a few apps at a time.

    One call of this function stops and starts one small group of apps after another until the function's time limit is
    near.
    """
    with runtime().run() as run:
        on_environment(run, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=EVENTS, connection=STORAGE)
def events_queue(message: func.QueueMessage) -> None:
    """Put the vault certificates on the queue `certificates` that a message of Event Grid names."""
    with runtime().run() as run:
        on_events(run, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=SWEEPS, connection=STORAGE)
def sweeps_queue(message: func.QueueMessage) -> None:
    """Do one part of a sweep, whose reads leave a third of Azure's request limits to the other queues."""
    with runtime().run(sparing=True) as run:
        on_sweep(run, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=CERTIFICATES + POISON_SUFFIX, connection=STORAGE)
def certificates_poison(message: func.QueueMessage) -> None:
    """Record a message of the queue `certificates` that the Functions host gave up, usually after five failures."""
    with runtime().run() as run:
        on_poison(run, CERTIFICATES, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=SITES + POISON_SUFFIX, connection=STORAGE)
def sites_poison(message: func.QueueMessage) -> None:
    """Record a message of the queue `sites` that the Functions host gave up, usually after five failures."""
    with runtime().run() as run:
        on_poison(run, SITES, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=ENVIRONMENTS + POISON_SUFFIX, connection=STORAGE)
def environments_poison(message: func.QueueMessage) -> None:
    """Record a message of the queue `environments` that the Functions host gave up, usually after five failures."""
    with runtime().run() as run:
        on_poison(run, ENVIRONMENTS, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=EVENTS + POISON_SUFFIX, connection=STORAGE)
def events_poison(message: func.QueueMessage) -> None:
    """Record a message of the queue `events` that the Functions host gave up, usually after five failures."""
    with runtime().run() as run:
        on_poison(run, EVENTS, _text(message))


@blueprint.queue_trigger(arg_name="message", queue_name=SWEEPS + POISON_SUFFIX, connection=STORAGE)
def sweeps_poison(message: func.QueueMessage) -> None:
    """Record a message of the queue `sweeps` that the Functions host gave up, usually after five failures."""
    with runtime().run() as run:
        on_poison(run, SWEEPS, _text(message))


def _text(message: func.QueueMessage) -> str:
    """Return the text of a queue message, which arrives as it was sent: in base64 or plain."""
    return decoded(message.get_body().decode(errors="replace"))
