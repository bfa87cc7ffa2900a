"""A large sending and one person who signs up meanwhile, on the real stack with its real workers."""

from __future__ import annotations

from pathlib import Path

from tests.support.cast import write_course
from tests.support.scripted_smtp import scripted_smtp
from tests.support.servers import short_folder
from tests.support.stack import running, steadypost

MANY = 1500


def write_second(folder: Path) -> Path:
    """The course again, under another name and with a confirmation."""
    write_course(folder, opt_in="double")
    toml = folder / "course.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('"calm"', '"bright"'), encoding="utf-8")
    return folder


def test_a_confirmation_does_not_wait_for_a_campaign() -> None:
    """MC#115: opt-in mails stuck for hours behind a blast."""
    with short_folder() as data_dir, scripted_smtp() as server:
        server.delays["DOT"] = 0.05
        with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as up:
            up.wait_for("Ctrl-C stops everything")
            steadypost(data_dir, "course", "publish", str(write_course(data_dir / "calm")))
            steadypost(data_dir, "course", "publish", str(write_second(data_dir / "bright")))
            people = data_dir / "people.csv"
            people.write_text("email\n" + "".join(f"reader{n}@reader.example\n" for n in range(MANY)))
            consent = ("--consent", "Yes, please.")
            steadypost(data_dir, "subscriber", "import", str(people), "--list", "calm", *consent)
            steadypost(data_dir, "course", "enroll", "calm", "--list", "calm")
            up.until(lambda: len(server.recipients) > 50)
            newcomer = "newcomer@reader.example"
            steadypost(data_dir, "subscriber", "add", newcomer, "--list", "bright", *consent)
            up.until(lambda: newcomer in server.recipients)
            assert len(server.recipients) < MANY
