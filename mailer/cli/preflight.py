"""The preflight at the command line: by itself, and before something is published or sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.asking import ask_first
from mailer.cli.connect import Connected, connect
from mailer.cli.show import as_json, console, count, say, warn
from mailer.content.course_source import Problem
from mailer.db import business_now
from mailer.errors import Refused
from mailer.fetch import fetcher_of
from mailer.launch.campaign_check import check_campaign
from mailer.launch.campaign_findings import mailing_of
from mailer.launch.check import check_course, sorted_problems
from mailer.launch.link_checks import ask_links
from mailer.launch.mailing import Mailing, of_course, of_files, of_folder
from mailer.launch.preflight import Looked, look
from mailer.links import Signer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
NoLinks = Annotated[bool, typer.Option("--no-links", help="Ask no other machine about the links.")]
CourseOrFolder = Annotated[str, typer.Argument(help="A published course, or a course folder.")]
CampaignOrFiles = Annotated[
    list[str], typer.Argument(help="A campaign, or its file and after it its translations.")
]


def course_preflight(what: CourseOrFolder, as_json_: AsJson = False, no_links: NoLinks = False) -> None:
    """Find what would go wrong for the readers of a course: each mail is made for a sample of them."""
    problems: list[Problem] = []
    with connect() as connected:
        if Path(what).is_dir():
            compiled, problems = check_course(Path(what))
            mailing = of_folder(compiled) if compiled else None
        else:
            with connected.session() as session:
                mailing = of_course(session, what)
        problems = problems + _look(connected, mailing, with_links=not no_links)
    _tell(what, problems, is_json=as_json_)


def campaign_preflight(what: CampaignOrFiles, as_json_: AsJson = False, no_links: NoLinks = False) -> None:
    """Find what would go wrong for the readers of a campaign: each mail is made for a sample of them."""
    problems: list[Problem] = []
    with connect() as connected:
        with connected.session() as session:
            if Path(what[0]).is_file():
                compiled, problems = check_campaign(session, [Path(name) for name in what])
                mailing = of_files(session, compiled) if compiled else None
            elif len(what) == 1:
                mailing, told = mailing_of(session, what[0])
                problems += told
            else:
                raise Refused(f"There is no file {what[0]}; give one campaign, or its files.")
        problems = sorted_problems([*problems, *_look(connected, mailing, with_links=not no_links)])
    _tell(what[0], problems, is_json=as_json_)


def ask_about(
    connected: Connected,
    mailing: Mailing | None,
    what: str,
    *,
    yes: bool,
    no_links: bool = False,
    told: Sequence[Problem] = (),
) -> None:
    """Before `what` is done: an error refuses, warnings are asked about; some may be `told` already."""
    problems = sorted_problems([*told, *_look(connected, mailing, with_links=not no_links)])
    for problem in problems:
        warn(str(problem))
    _refuse_errors(what, problems)
    if problems:
        ask_first(f"{count(len(problems), 'warning')} above. {what} all the same?", yes=yes)


def ask_about_campaign(
    connected: Connected, slug: str, verb: str, *, yes: bool, no_links: bool = False
) -> None:
    """The same for a campaign before it is sent or scheduled."""
    with connected.session() as session:
        mailing, told = mailing_of(session, slug)
    ask_about(connected, mailing, f"{verb} {slug}", yes=yes, no_links=no_links, told=told)


def _look(connected: Connected, mailing: Mailing | None, *, with_links: bool) -> list[Problem]:
    if mailing is None:
        return []
    settings = connected.settings
    signer = Signer(settings.secret_key)

    def found() -> Looked:
        with connected.session() as session:
            return look(session, mailing, signer, settings.base_url, business_now(session), math.inf)

    looked = found()
    if not with_links or not looked.links:
        return looked.problems
    fetcher = fetcher_of(settings)
    with console.status("Asking about links…") as status:
        ask_links(
            *(connected.session, looked.links, fetcher),
            lambda asked, of: status.update(f"Asked about {asked} of {of} links…"),
            anew=True,
        )
    return found().problems


def _tell(what: str, problems: Sequence[Problem], *, is_json: bool) -> None:
    if is_json:
        as_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            say(str(problem))
    _refuse_errors(what, problems)
    if not is_json:
        say(f"{what}: {count(len(problems), 'warning')}." if problems else f"{what} is ready to go out.")


def _refuse_errors(what: str, problems: Sequence[Problem]) -> None:
    errors = sum(not problem.is_warning for problem in problems)
    if errors:
        raise Refused(f"{what}: the preflight found {count(errors, 'error')}; mend what is named above.")
