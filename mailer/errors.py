"""The few errors that a person reads. The docstring of each is the sentence that is shown."""

from __future__ import annotations


class MailerError(Exception):
    """Steadypost could not do this."""

    def __init__(self, what: str = "") -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        advice = " ".join((type(self).__doc__ or "").split())
        if not self.what:
            return advice
        # A sentence is followed by a sentence, a mere word by what is wrong with it.
        if " " in self.what:
            return f"{self.what} {advice}" if self.what[-1] in ".?!" else f"{self.what}. {advice}"
        return f"{self.what}: {advice}"


class Refused(MailerError):
    """What was asked cannot be done; `what` says why and what to do instead."""

    def __str__(self) -> str:
        return self.what


class BadSetting(MailerError):
    """Mend this STEADYPOST_* setting and start again."""


class UnknownZone(MailerError):
    """This is not a time zone of the IANA list; write one such as Europe/Lisbon."""


class FarOff(MailerError):
    """This day is too far off; name one of the years 1970 to 8999."""


class NotFound(Refused):
    """There is nothing of this name; `what` says where to look."""
