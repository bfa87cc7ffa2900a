"""A canary as a program asks for it."""

from __future__ import annotations

from pydantic import Field

from mailer.content.canary import Canary, Sign, read_canary
from mailer.errors import Refused
from mailer.web.api.told import Told


class CanaryAsked(Told):
    """A few people first. `limits` are the shares of them above which the rest does not go."""

    size: str = Field(max_length=20, examples=["2 %"], description="A number of people, or a share.")
    wait: str = Field(default="", max_length=40, examples=["1 hour"], description="Until the rest goes.")
    limits: dict[Sign, str] = Field(default_factory=dict, examples=[{"bounces": "3 %"}])

    def read(self) -> Canary | None:
        """As campaigns have it; raises Refused for what is none."""

        def tell(_: str, what: str, fix: str) -> None:
            raise Refused(f"{what} {fix}")

        wait = {"wait": self.wait} if self.wait else {}
        limits = {str(sign): share for sign, share in self.limits.items()}
        return read_canary({"size": self.size, **wait, **limits}, tell)
