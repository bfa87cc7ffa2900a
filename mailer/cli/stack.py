"""The whole of Steadypost on one machine: servers of our own where no URL is set, workers, beat and web."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from mailer.accounts.operators import is_set_up
from mailer.cli.connect import complete, prepare_database
from mailer.db import business_now, make_engine, make_sessions, session_scope
from mailer.delivery.guard import look
from mailer.delivery.holds import guarded
from mailer.delivery.installation import Installation
from mailer.delivery.transports.server import SmtpServer
from mailer.embedded.addresses import forget_addresses, read_address, write_addresses
from mailer.embedded.ports import LOOPBACK, PortClaims
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis
from mailer.embedded.runtime import FolderLock, lock_data_dir
from mailer.embedded.supervisor import Child, Supervisor
from mailer.errors import Refused
from mailer.models import Lane
from mailer.queue import CONTROL, ERRANDS, Broker
from mailer.settings import Settings

WEB_PORT = 8025
MAILBOX_PORT = 8026
SMTP_PORT = 2525
CELERY = ("celery", "--quiet", "-A", "worker.app")


class Stack:
    """Starts every part and stops it again; `say` hears one line about each.

    `on_hold` says why the guard has put something on hold, once it is started.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None], *, is_demo: bool = False) -> None:
        self._is_demo = is_demo
        self._say = say
        self._asked = settings
        self._postgres = EmbeddedPostgres(settings.data_dir) if settings.database_url is None else None
        self._redis = EmbeddedRedis(settings.data_dir) if settings.redis_url is None else None
        self._supervisor = Supervisor(settings.data_dir, on_event=self._hear)
        self._ports = PortClaims()
        self._lock: FolderLock | None = None
        self._is_starting = True
        self.settings = settings
        self.mailbox_url: str | None = None
        self.local_url = ""
        self.on_hold: list[str] = []
        self.is_set_up = False
        """Whether somebody can sign in."""

    @property
    def mailbox_dir(self) -> Path:
        """Where the local mailbox keeps its mails."""
        return self._asked.data_dir / "mailbox"

    def start(self) -> None:
        """Start everything and return when the web app answers; nothing is left running on an error."""
        self._lock = lock_data_dir(self._asked.data_dir)
        try:
            self._start_parts()
        except BaseException:
            self.stop()
            raise
        self._is_starting = False

    def stop(self) -> None:
        """Stop everything, the workers first."""
        self._is_starting = True
        forget_addresses(self._asked.data_dir)
        # The mailbox last: a mail on its way must hear whether it was taken.
        self._supervisor.stop_all(last=["mailbox"])
        if self._redis is not None:
            self._redis.stop()
        if self._postgres is not None:
            self._postgres.stop()
        self._ports.release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def look_after(self) -> None:
        """Start our own servers again when one has died; to be called every second or so."""
        for name, server in (("PostgreSQL", self._postgres), ("Redis", self._redis)):
            if server is not None and not server.is_alive():
                self._say(f"{name} ended by itself and is started again")
                server.stop()
                server.start()

    def restart_database(self) -> None:
        """Stop our own PostgreSQL and start it again, as an operator would; nothing when it is not ours."""
        if self._postgres is not None:
            self._postgres.stop()
            self._postgres.start()

    def _start_parts(self) -> None:
        changes: dict[str, object] = {"secret_key": complete(self._asked).secret_key}
        port = self._ports.take(WEB_PORT)
        if self._postgres is not None:
            changes["database_url"] = self._database()
        if self._redis is not None:
            self._redis.start()
            changes["redis_url"] = self._redis.redis_url
        if self._asked.smtp_url is None:
            changes["smtp_url"] = self._mailbox(self._ports.take(SMTP_PORT), self._ports.take(MAILBOX_PORT))
        self.local_url = f"http://{LOOPBACK}:{port}"
        if "base_url" not in self._asked.model_fields_set:
            changes["base_url"] = self.local_url
        self.settings = self._asked.replace(**changes)
        SmtpServer.from_url(str(self.settings.smtp_url))  # a wrong one is better found now than by a worker
        if not Broker(str(self.settings.redis_url)).ping():
            raise Refused("Redis does not answer; mend STEADYPOST_REDIS_URL, or leave it out to use our own.")
        prepare_database(str(self.settings.database_url))
        self._look()
        environment = self.settings.as_environment()
        for name, arguments in self._commands(port).items():
            self._supervisor.start(Child(name, [sys.executable, "-m", *arguments], environment))
        self._wait_for_web(port)
        self._write_addresses()

    def _look(self) -> None:
        """Have the guard look before the first worker does, and say what it has put on hold."""
        here = Installation(self.settings.data_dir, self.settings.instance_token)
        engine = make_engine(str(self.settings.database_url))
        with session_scope(make_sessions(engine)) as session:
            standing = look(session, here, self.settings.hold_after, business_now(session))
            self.on_hold = [hold.reason for hold in guarded(session)]
            self.is_set_up = is_set_up(session)
        here.note(standing.mark)
        engine.dispose()

    def _database(self) -> str:
        assert self._postgres is not None  # noqa: S101
        url = self._postgres.start()
        # A demo begins with an empty house each time, on a server that is found again.
        return self._postgres.recreate_database("demo") if self._is_demo else url

    def _mailbox(self, smtp_port: int, web_port: int) -> str:
        self.mailbox_dir.mkdir(parents=True, exist_ok=True)
        self.mailbox_dir.chmod(0o700)  # the mails hold signed links
        if self._is_demo:
            for mail in self.mailbox_dir.glob("*"):
                mail.unlink()
        command = [sys.executable, "-m", "mailer.embedded.mailbox", "--dir", str(self.mailbox_dir)]
        command += ["--smtp-port", str(smtp_port), "--web-port", str(web_port)]
        self._supervisor.start(Child("mailbox", command))
        self.mailbox_url = f"http://{LOOPBACK}:{web_port}"
        return f"smtp://{LOOPBACK}:{smtp_port}"

    @staticmethod
    def _commands(port: int) -> dict[str, list[str]]:
        """Our processes. The transactional lane has a worker of its own, so that nothing stands before it."""
        return {
            "worker-control": worker_command([CONTROL], 1),
            "worker-errands": worker_command([ERRANDS], 1),
            "worker-transactional": worker_command([Lane.TRANSACTIONAL], 1),
            "worker-course": worker_command([Lane.COURSE, Lane.CAMPAIGN], 2),
            "beat": [*CELERY, "beat", "--loglevel", "WARNING"],
            "web": [
                *("uvicorn", "--factory", "mailer.web.serve:create_app", "--host", LOOPBACK),
                *("--port", str(port), "--no-access-log", "--no-server-header", "--log-level", "warning"),
                # Boards that are open somewhere would keep it from ever ending.
                *("--timeout-graceful-shutdown", "5"),
            ],
        }

    def _wait_for_web(self, port: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://{LOOPBACK}:{port}/health", timeout=2)
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return
        raise Refused(f"The web app did not start; {self._supervisor.log_of('web')} says why.")

    def _write_addresses(self) -> None:
        write_addresses(
            self._asked.data_dir,
            smtp_url=self.settings.smtp_url,
            web=self.settings.base_url,
            mailbox=self.mailbox_url,
        )

    def _hear(self, name: str, what: str) -> None:
        if not self._is_starting:
            self._say(f"{name} {what}; see {self._supervisor.log_of(name)}")


def worker_command(queues: Sequence[str], processes: int) -> list[str]:
    """What follows `python -m` to start a worker for these queues, named after the first."""
    quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    name = ["-n", f"{queues[0]}@%h", "-Q", ",".join(queues), "-c", str(processes)]
    return [*CELERY, "worker", *quiet, *name]


def running_smtp_url(settings: Settings) -> str:
    """Where mail goes: the configured relay, or the mailbox of a running stack; raises Refused."""
    if settings.smtp_url is not None:
        return settings.smtp_url
    found = read_address(settings.data_dir, "smtp_url")
    if found is None:
        raise Refused("There is no mail server: set STEADYPOST_SMTP_URL, or run `steadypost up` beside this.")
    return found


def running_web_url(settings: Settings) -> str:
    """Where the web app answers: what is set, or else what a running stack picked."""
    return read_address(settings.data_dir, "web") or settings.base_url
