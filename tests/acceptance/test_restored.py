"""A whole stack on a database that was restored: it starts, takes sign-ups, and sends nothing by itself."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.cast import write_course
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.servers import short_folder
from tests.support.stack import run, running, steadypost

READY = "Ctrl-C stops everything"
LONG_ENOUGH_SECONDS = 7.0
"""Three ticks."""


def sign_up(data_dir: Path, name: str) -> None:
    steadypost(data_dir, "subscriber", "add", f"{name}@reader.example", "--list", "calm", "--consent", "Yes.")


def test_a_restored_database_sends_nothing_until_somebody_says_so(server: ScriptedSmtp) -> None:
    """Field research's row "Snapshot/clone re-sends": a restored state mailed everybody again (LM#1801)."""
    with short_folder() as data_dir:
        backup = data_dir / "house.backup"
        steadypost(data_dir, "course", "publish", str(write_course(data_dir / "calm", opt_in="double")))
        sign_up(data_dir, "ada")  # her confirmation is due when the backup is made
        steadypost(data_dir, "db", "backup", str(backup))
        with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as up:
            up.wait_for(READY)
            up.until(lambda: server.recipients == ["ada@reader.example"])
            refused = run(data_dir, "db", "restore", str(backup), "--replace", "--yes")
            assert "stop Steadypost" in refused.stderr
        steadypost(data_dir, "db", "restore", str(backup), "--replace", "--yes")
        with running(data_dir, "up", STEADYPOST_SMTP_URL=server.url) as up:
            up.wait_for("ON HOLD: the database was restored from a backup")
            sign_up(data_dir, "ben")
            time.sleep(LONG_ENOUGH_SECONDS)
            assert server.recipients == ["ada@reader.example"]
            assert "On hold: everything" in steadypost(data_dir, "hold", "show")
            told = steadypost(
                data_dir, "hold", "release", "--policy", "skip-stale", "--stale-after", "0", "--yes"
            )
            assert "2 mails passed over" in told
            sign_up(data_dir, "cleo")
            up.until(lambda: "cleo@reader.example" in server.recipients)
        assert server.recipients == ["ada@reader.example", "cleo@reader.example"]
