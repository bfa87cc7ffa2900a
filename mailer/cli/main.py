"""The `steadypost` command: nouns, then verbs. Exit 0 done, 1 refused with one sentence, 2 misuse."""

from __future__ import annotations

import gc
import sys

import typer

from mailer.cli import (
    alarm,
    campaign,
    clicks,
    course,
    database,
    delivery,
    demo,
    doctor,
    hold,
    lists,
    queue,
    schedule,
    segment,
    sender,
    simulate,
    subscriber,
    suppression,
    transport,
    up,
    user,
    webhook,
    why,
)
from mailer.cli.show import warn
from mailer.errors import MailerError

app = typer.Typer(
    name="steadypost",
    help="Newsletters and email courses: every lesson sent once, at the reader's hour.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("why")(why.why_)
course.app.command("simulate")(simulate.simulate_)
course.app.command("test")(simulate.compare_)
app.add_typer(course.app, name="course")
app.add_typer(schedule.app, name="schedule")
app.add_typer(segment.app, name="segment")
app.add_typer(campaign.app, name="campaign")
app.add_typer(clicks.app, name="clicks")
app.add_typer(subscriber.app, name="subscriber")
app.add_typer(lists.app, name="list")
app.add_typer(delivery.app, name="delivery")
app.add_typer(queue.app, name="queue")
app.add_typer(hold.app, name="hold")
app.add_typer(suppression.app, name="suppression")
app.add_typer(sender.app, name="sender")
app.add_typer(transport.app, name="transport")
app.add_typer(alarm.app, name="alarm")
app.add_typer(webhook.app, name="webhook")
app.add_typer(user.app, name="user")
app.add_typer(database.app, name="db")
app.add_typer(doctor.app, name="doctor")


def main() -> None:
    """Run the command; a refusal is one sentence on stderr and exit code 1."""
    # What was imported stays. Else Python would look through all of it as the command ends, which takes a
    # quarter of a second and so a fifth of most commands.
    gc.freeze()
    try:
        app()
    except MailerError as error:
        warn(str(error))
        sys.exit(1)
