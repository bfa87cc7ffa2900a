"""One call of a pool's send_all: mails are handed out to lines until all have their result."""

from __future__ import annotations

import time
from collections import deque

from mailer.delivery.transports.base import Answered, Broke, Cut, Feed, NotSent, Result, Trouble, TroubleKind
from mailer.delivery.transports.connect import Timeouts
from mailer.delivery.transports.conversation import Conversation, Fate, Step, Turn
from mailer.delivery.transports.envelope import envelope
from mailer.delivery.transports.lines import WOULD_BLOCK, Line, Lines

TICK_SECONDS = 0.2
MOST_TRIES = 2
"""Conversations that may end over one mail before it is held against the mail."""
MOST_BREAKS = 2
"""Mails in a row over which a conversation broke before it is held against the server."""
FEWER_FOR_SECONDS = 30.0
"""How long a server that allows no more connections is not asked for another."""


class Health:
    """What a pool remembers of its server from call to call."""

    def __init__(self) -> None:
        self.breaks = 0
        """Mails in a row that broke a conversation or were cut off, with no answer between."""
        self.lets_us_in = False
        """Whether the last opening worked. If not, one is tried alone: a wrong password is said once only."""
        self.full_until = 0.0
        """When it may be asked for more connections than it has granted."""


class Sending:
    """The mails in hand and where they are; `run` does it all."""

    def __init__(
        self, name: str, lines: Lines, health: Health, feed: Feed, limits: tuple[int, int], timeouts: Timeouts
    ) -> None:
        self._name = name
        self._lines = lines
        self._health = health
        self._feed = feed
        self._most_lines, self._most_mails = limits
        self._timeouts = timeouts
        self._patience = {
            Step.DOT: timeouts.final_dot,
            Step.EMPTY_DOT: timeouts.final_dot,
            Step.DATA: timeouts.data_start,
        }
        self._idle: list[Line] = []
        self._waiting: deque[Turn] = deque()
        self._is_exhausted = False
        self._trouble: Trouble | None = None
        self._now = self._tended_at = time.monotonic()

    def run(self) -> Trouble | None:
        """Send until everything has its result; left by an exception, what was in the middle is hung up."""
        try:
            self._take_up()
            self._hand_out()
            while self._is_unfinished():
                self._look(TICK_SECONDS)
                self._hand_out()
                if self._now - self._tended_at >= TICK_SECONDS:
                    self._tend()
        except BaseException:
            for line in list(self._lines.open):
                if not line.talk.is_idle:
                    self._lines.hang_up(line)
            raise
        return self._trouble

    def _is_unfinished(self) -> bool:
        may_have_more = not self._is_exhausted and self._trouble is None
        return bool(self._waiting) or may_have_more or len(self._idle) < len(self._lines.open)

    def _take_up(self) -> None:
        """Take up what was kept, without those that the server has closed meanwhile."""
        for arrival in self._lines.arrived():
            if isinstance(arrival, Line):  # an old failure says nothing about now
                self._health.lets_us_in = True
        for line in list(self._lines.open):
            if not line.talk.is_idle:  # nobody waits for its mails any more, so nobody may hear of them
                self._lines.hang_up(line)
                continue
            line.is_fresh = False
            line.talk.is_proven = False
            self._idle.append(line)
        self._look(0)

    def _look(self, seconds: float) -> None:
        """Wait for something to happen, and deal with it."""
        happened = self._lines.select(seconds)
        self._now = time.monotonic()
        for line in happened:
            if line is None:
                self._arrivals()
            elif line.is_open:
                self._serve(line)

    def _arrivals(self) -> None:
        for arrival in self._lines.arrived():
            self._health.lets_us_in = isinstance(arrival, Line)
            if isinstance(arrival, Line):
                self._idle.append(arrival)
            else:
                self._fewer(arrival)

    def _hand_out(self) -> None:
        """Give mails to lines that have none, and open more lines while there are mails for them."""
        while self._idle and (turn := self._take(self._idle[-1].talk)) is not None:
            line = self._idle.pop()
            line.talk.announce(turn)
            self._flush(line)
        lines = self._lines
        while self._may_open() and (len(self._waiting) > lines.opening or self._fetch()):
            lines.start_opening()

    def _may_open(self) -> bool:
        lines = self._lines
        if self._trouble is not None or len(lines.open) + lines.opening >= self._most_lines:
            return False
        if lines.opening and not self._health.lets_us_in:
            return False
        return not lines.open or self._now >= self._health.full_until

    def _fetch(self) -> bool:
        """Ask the feed for a mail, to wait; whether there was one."""
        if self._is_exhausted or self._trouble is not None:
            return False
        given = self._feed.next()
        if given is None:
            self._is_exhausted = True
            return False
        self._waiting.append(Turn(*given))
        return True

    def _take(self, talk: Conversation) -> Turn | None:
        """The next mail for this server, ready to be announced."""
        while self._waiting or self._fetch():
            turn = self._waiting.popleft()
            commands = envelope(turn.email, talk.abilities)
            if isinstance(commands, bytes):
                turn.envelope = commands
                return turn
            self._feed.done(turn.key, Answered(commands))
        return None

    def _serve(self, line: Line) -> None:
        """Something has happened on a line."""
        talk = line.talk
        line.since = self._now
        if talk.output:
            self._flush(line)
            if not line.is_open:
                return
        try:
            data = line.read()
        except OSError as error:
            self._lose(line, _reason(error))
            return
        if data:
            self._hear(line, data)
            if talk.end is not None:
                self._lose(line, talk.end.reason)
            elif line not in self._idle:  # half a line may come to one that waits; `_hand_out` gives it mails
                self._go_on(line)
        elif data is not None:
            self._lose(line, "the server hung up")

    def _hear(self, line: Line, data: bytes) -> None:
        for turn, result in line.talk.receive(data):
            self._health.breaks = 0
            self._feed.done(turn.key, result)

    def _go_on(self, line: Line) -> None:
        """Say what comes next, after the server has been heard."""
        talk = line.talk
        if talk.is_ready:
            may_follow = talk.abilities.pipelining and talk.mails < self._most_mails
            talk.finish(self._take(talk) if may_follow else None)
        elif talk.is_free:
            if talk.mails < self._most_mails:
                turn = self._take(talk)
                if turn is not None:
                    talk.announce(turn)
            if talk.is_idle:
                if talk.mails < self._most_mails:
                    self._idle.append(line)
                else:
                    self._lines.hang_up(line, politely=True)
        if talk.output:
            self._flush(line)

    def _flush(self, line: Line) -> None:
        """Write what there is to write, as far as the kernel takes it."""
        talk = line.talk
        line.since = self._now
        while talk.output:
            chunk, until = line.chunk()
            if talk.holds_dot(until) and talk.dotted and not self._feed.before_dot(talk.dotted.key):
                self._withhold(line)
                return
            try:
                talk.wrote(line.sock.send(chunk))
            except WOULD_BLOCK:
                self._lines.block(line, True)
                return
            except OSError as error:
                self._hear_the_last(line, _reason(error))
                return
        self._lines.block(line, False)

    def _hear_the_last(self, line: Line, reason: str) -> None:
        """Writing failed; the server may have said before why it hangs up."""
        try:
            while line.talk.end is None and (data := line.read()):
                self._hear(line, data)
        except OSError:
            pass
        self._lose(line, reason)

    def _withhold(self, line: Line) -> None:
        """The mail must not leave: hang up in the middle of it, which no server takes for its end."""
        turn, following = line.talk.dotted, line.talk.announced
        line.talk.dotted = line.talk.announced = None
        self._lines.hang_up(line)
        if following is not None:
            self._put_back(following)
        if turn is not None:
            self._feed.done(turn.key, NotSent("it was not to be sent any more"))

    def _lose(self, line: Line, reason: str) -> None:
        """A conversation is over: find out what that means for its mails and for the server."""
        end = line.talk.end
        reason = f"{self._name}: {reason if end is None else end.reason}"
        self._lines.hang_up(line)
        if line in self._idle:
            self._idle.remove(line)
        fates = line.talk.lost()
        if end is not None and end.kind is TroubleKind.UNWELCOME:
            self._stop(Trouble(end.kind, reason))
        elif fates and line.is_barren and end is not None and end.kind is TroubleKind.BUSY:
            self._fewer(Trouble(end.kind, reason))
        answer = None if end is None or end.reply is None else Answered(end.reply)
        for turn, fate in fates:
            self._settle(turn, fate, reason, answer)
        if self._health.breaks >= MOST_BREAKS:
            self._stop(Trouble(TroubleKind.UNREACHABLE, reason))

    def _settle(self, turn: Turn, fate: Fate, reason: str, answer: Answered | None) -> None:
        """What the end of its conversation makes of a mail."""
        result: Result
        if fate is Fate.SUSPECT:
            turn.tries += 1
        if fate is Fate.IN_DOUBT:
            result = Cut(reason)
        elif fate is Fate.BROKEN:
            result = Broke(reason)
        elif fate is Fate.INNOCENT or turn.tries < MOST_TRIES or self._trouble is not None:
            self._put_back(turn)
            return
        else:
            result = answer or Broke(reason)
        if not isinstance(result, Answered):
            self._health.breaks += 1
        self._feed.done(turn.key, result)

    def _put_back(self, turn: Turn) -> None:
        """Let another conversation have it."""
        if self._trouble is None:
            self._waiting.appendleft(turn)
        else:
            self._feed.done(turn.key, NotSent(self._trouble.reason))

    def _fewer(self, trouble: Trouble) -> None:
        """A conversation was not granted: make do with the others, if there are any."""
        if self._lines.open or self._lines.opening:
            self._health.full_until = self._now + FEWER_FOR_SECONDS
        else:
            self._stop(trouble)

    def _stop(self, trouble: Trouble) -> None:
        """Send no more; what has left is waited for."""
        if self._trouble is not None:
            return
        self._trouble = trouble
        turns = list(self._waiting)
        self._waiting.clear()
        for line in list(self._lines.open):
            turns += line.talk.take_back()
            if line.talk.dotted is None and line not in self._idle:
                self._lines.hang_up(line)
        for turn in turns:
            self._feed.done(turn.key, NotSent(trouble.reason))

    def _tend(self) -> None:
        """Give the feed its moment, and end what has taken too long."""
        self._tended_at = self._now
        self._feed.tend()
        for line in list(self._lines.open):
            seconds = self._limit(line)
            if line.is_open and self._now - line.since > seconds and line not in self._idle:
                step = None if line.is_blocked else line.talk.awaited
                what = "took nothing more" if step is None else f"did not answer {step.value}"
                self._lose(line, f"the server {what} for {seconds:g} s")

    def _limit(self, line: Line) -> float:
        if line.is_blocked:
            return self._timeouts.data_block
        step = line.talk.awaited
        return self._timeouts.command if step is None else self._patience.get(step, self._timeouts.command)


def _reason(error: OSError) -> str:
    return str(error) or type(error).__name__
