"""What a worker process keeps from task to task: its database pool, its mail server, its broker."""

from __future__ import annotations

from functools import cached_property, lru_cache

from mailer.db import Sessions, make_engine, make_sessions
from mailer.delivery.batch import Post
from mailer.delivery.installation import Installation
from mailer.delivery.journal import Journal
from mailer.delivery.policy import policy_of
from mailer.delivery.pools import Pools
from mailer.delivery.signing import Keyring
from mailer.delivery.transports.server import SmtpServer
from mailer.errors import BadSetting
from mailer.fetch import fetcher_of
from mailer.launch.campaign import Approval
from mailer.links import Signer
from mailer.queue import Broker
from mailer.sealing import Seal
from mailer.settings import Settings, load_settings
from worker.stopping import is_stopping


class Parts:
    """Made once in each process, after the fork: connections must not be shared between processes."""

    def __init__(self, settings: Settings) -> None:
        missing = [
            name
            for name in ("database_url", "redis_url", "smtp_url", "secret_key")
            if not getattr(settings, name)
        ]
        if missing:
            names = ", ".join(f"STEADYPOST_{name.upper()}" for name in missing)
            raise BadSetting(f"{names} missing, a worker cannot run without")
        self.sessions: Sessions = make_sessions(make_engine(str(settings.database_url)))
        self.broker = Broker(str(settings.redis_url))
        self.seal = Seal(settings.secret_key)
        self.fetcher = fetcher_of(settings)
        SmtpServer.from_url(str(settings.smtp_url))  # a wrong one is better found now than with a batch
        self._pools = Pools(self.sessions, self.seal, str(settings.smtp_url), self.fetcher)
        self._keyring = Keyring(self.seal)
        self.signer = Signer(settings.secret_key)
        self.base_url = settings.base_url
        self.smtp_url = str(settings.smtp_url)
        self.policy = policy_of(settings)
        self.data_dir = settings.data_dir
        self.journal_dir = settings.data_dir / "journal"
        self.keep_months = settings.keep_months
        self.installation = Installation(settings.data_dir, settings.instance_token)
        self.hold_after = settings.hold_after
        self.approval = Approval(settings.needs_approval)
        self.may_send = True

    @cached_property
    def post(self) -> Post:
        """What a batch needs to send; with the journal of this process, which only one that sends has."""
        journal = Journal(self.journal_dir)
        return Post(
            *(self.sessions, self._pools, journal, self.signer, self.base_url),
            policy=self.policy,
            keyring=self._keyring,
            is_stopping=is_stopping,
        )


@lru_cache(maxsize=1)
def parts() -> Parts:
    """This process's parts."""
    return Parts(load_settings())
