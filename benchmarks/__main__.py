"""Run the benchmarks: medians of rounds with their spread, as a table and as JSON beside this file."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import pages, signing
from benchmarks.campaigns import materialised
from benchmarks.foreseeing import (
    idle_triggers,
    make_due,
    restricted,
    restrictions,
    simulating,
    simulating_rules,
)
from benchmarks.importing import imported
from benchmarks.latency import confirmation
from benchmarks.segments import counting
from benchmarks.sending import naive, planned, sink, task_for_each, whole_path, wire
from benchmarks.stage import House, Stage, stage
from mailer.db import business_now, session_scope
from mailer.schedule.plan import plan_due

FOLDER = Path(__file__).parent
FEW = 10_000
"""Enrollments of the small house for the idle tick."""
DUE = 20_000
"""So many are due when planning is measured."""


@dataclass(frozen=True)
class Figure:
    """One line of the table; `goal` is what we want of `median`."""

    name: str
    median: float
    lowest: float
    highest: float
    goal: str


@dataclass(frozen=True)
class Sizes:
    """How much is sent, planned and imported. `many` and `usual` are compared with each other."""

    mails: int
    usual: int
    many: int
    campaign: int
    rows: int


class Measuring:
    """Rounds of every figure, interleaved: the machine is never the same for long."""

    def __init__(self, scene: Stage, port: int, sizes: Sizes, say: Callable[[str], None]) -> None:
        self._scene = scene
        self._port = port
        self._sizes = sizes
        self._say = say
        self.found: dict[str, list[float]] = {}
        self._restricted = 0.0
        self.pages: list[pages.Page] = []

    def round(self, number: int, of: int) -> None:
        """Measure everything once."""
        for measure in (
            self._planning,
            self._simulation,
            self._sending,
            self._signed,
            self._sign_ups,
            self._import,
            self._growth,
            self._pages,
        ):
            self._say(f"round {number} of {of}: {measure.__name__.strip('_').replace('_', ' ')}")
            measure()

    def _note(self, **values: float | None) -> None:
        for name, value in values.items():
            if value is not None:
                self.found.setdefault(name, []).append(value)

    def _ready(self, mails: int) -> House:
        house = self._scene.house(mails, mails)
        planned(house)
        return house

    def _planning(self) -> None:
        plain = planned(self._scene.house(DUE, DUE))
        self._restricted = restricted(self._scene.house(DUE, DUE))
        self._note(plan=plain, restricted=self._restricted / plain)

    def _simulation(self) -> None:
        few, many = simulating(FEW), simulating(10 * FEW)
        self._note(simulated=many, simulated_growth=many / few / 10)
        few, many = simulating_rules(FEW // 10), simulating_rules(FEW)
        self._note(ruled=many, ruled_growth=many / few / 10)

    def _sending(self) -> None:
        mails, port = self._sizes.mails, self._port
        bare = wire(port, mails)
        path = whole_path(self._scene, port, self._ready(mails), mails)
        plain = naive(self._ready(200), port)
        single = task_for_each(self._scene, port, self._ready(2_000), 2_000)
        self._note(
            wire=path.rate / bare if bare else None,
            naive=path.rate / plain,
            single=path.rate / single,
            processor=path.processor,
        )

    def _signed(self) -> None:
        mails = max(1000, self._sizes.mails // 4)
        house = self._ready(mails)
        signing.give_key(house)
        path = whole_path(self._scene, self._port, house, mails)
        self._note(signed=path.rate / signing.bare())

    def _sign_ups(self) -> None:
        house = self._scene.house(self._sizes.campaign, 0)
        self._note(confirm=confirmation(self._scene, self._port, house))

    def _import(self) -> None:
        self._note(imported=imported(self._scene.house(0, 0), self._scene.folder, self._sizes.rows))

    def _pages(self) -> None:
        if "page" in self.found:
            return  # once: writing the house takes minutes, and a page's median says enough
        many = self._sizes.many
        house = self._scene.house(many, 0)
        pages.fill(house, many, 10 * many)
        settings = self._scene.settings(house.url, f"smtp://127.0.0.1:{self._port}")
        found = pages.measure(house, settings, self._scene.folder / "course")
        self.pages = found
        self._note(
            page=found[0].milliseconds,
            page_ratio=found[0].ratio,
            page_size=max(page.kilobytes for page in found),
        )

    def _growth(self) -> None:
        sizes = self._sizes
        house = self._scene.house(FEW, 0)
        small, few = idle_tick(house), counting(house)
        small_capped, small_triggers = capped_tick(house), idle_triggers(house)
        written = materialised(house, self._scene.folder)
        house = self._scene.house(sizes.many, 0)
        self._note(idle=idle_tick(house) / small, idle_capped=capped_tick(house) / small_capped)
        triggers = idle_triggers(house)
        self._note(triggers=triggers, triggers_growth=triggers / small_triggers / (sizes.many / FEW))
        many = counting(house)
        self._note(counted=many, counted_growth=many / few / (sizes.many / FEW))
        make_due(house, DUE)
        self._note(restricted_growth=restricted(house) / self._restricted)
        all_written = materialised(house, self._scene.folder)
        self._note(written=all_written, written_growth=all_written / written / (sizes.many / FEW))
        usual = whole_path(self._scene, self._port, self._ready(sizes.usual), sizes.usual)
        large = whole_path(self._scene, self._port, self._ready(sizes.many), sizes.many)
        self._note(growth=large.rate / usual.rate, memory=large.memory, memory_usual=usual.memory)


def idle_tick(house: House) -> float:
    """Milliseconds of a tick that finds nothing due: the median of many."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        with session_scope(house.sessions) as session:
            plan_due(session, business_now(session))
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def capped_tick(house: House) -> float:
    """The same with a cap and a condition on each step."""
    with restrictions(house):
        return idle_tick(house)


def names(sizes: Sizes) -> dict[str, tuple[str, str]]:
    """What each figure is called, and its goal."""
    return {
        "wire": ("whole path, 2 worker processes, ratio to the wire", ">= 0.5"),
        "naive": ("the same, ratio to the naive way", ">= 20"),
        "single": ("the same, ratio to a Celery task for each mail", ""),
        "processor": ("processor seconds per 1,000 mails", "<= 0.15"),
        "signed": ("the same, DKIM-signed (RSA 2048), ratio to bare signing", ">= 0.5"),
        "plan": ("planning: rows per second", ">= 20000"),
        "restricted": ("the same with conditions and a cap, ratio to without", ""),
        "restricted_growth": (f"the same among {sizes.many:,} enrollments, ratio to {DUE:,}", ">= 0.8"),
        "simulated": (f"simulation of {10 * FEW:,} people over 30 days, s", ""),
        "simulated_growth": (f"the same for each person, against {FEW:,}", "<= 1.3"),
        "ruled": (f"the same of {FEW:,} people no two alike, with rules, answers and a cap, s", ""),
        "ruled_growth": (f"the same for each person, against {FEW // 10:,}", "<= 1.3"),
        "idle": (f"idle tick at {sizes.many:,} enrollments against {FEW:,}", "<= 1.3"),
        "idle_capped": ("the same with conditions and a cap", "<= 1.3"),
        "triggers": (f"asking a trigger that nobody of {sizes.many:,} people meets anew, ms", "<= 1000"),
        "triggers_growth": (f"the same for each person, against {FEW:,}", "<= 1.3"),
        "counted": (f"counting a segment of five conditions among {sizes.many:,} people, s", "<= 2"),
        "counted_growth": (f"the same for each person, against {FEW:,}", "<= 1.3"),
        "page": (
            f"slowest page of the desk at {sizes.many:,} people and {10 * sizes.many:,} mails, ms",
            "<= 100",
        ),
        "page_ratio": ("the same, ratio to a page that reads nothing", ""),
        "page_size": ("largest page with all it loads, kB", "<= 300"),
        "written": (f"writing a campaign's audience of {sizes.many:,}, s", ""),
        "written_growth": (f"the same for each person, against {FEW:,}", "<= 1.3"),
        "growth": (f"rate at {sizes.many:,} recipients against {sizes.usual:,}", ">= 0.9"),
        "memory": (f"a worker process's peak memory at {sizes.many:,} recipients, MB", "<= 150"),
        "memory_usual": (f"the same at {sizes.usual:,}", "the same"),
        "confirm": (f"confirmation during a campaign of {sizes.campaign:,}, 99th percentile, s", "<= 2"),
        "imported": (f"CSV import of {sizes.rows:,} rows: rows per second", ">= 20000"),
    }


def figure(name: str, values: Sequence[float], goal: str) -> Figure:
    return Figure(name, statistics.median(values), min(values), max(values), goal)


def asked() -> tuple[int, Sizes]:
    """Rounds and sizes, as the command line has them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mails", type=int, default=40_000, help="mails of one round of the whole path")
    parser.add_argument("--usual", type=int, default=50_000, help="recipients that many are compared with")
    parser.add_argument("--many", type=int, default=1_000_000, help="recipients of a large house")
    parser.add_argument("--campaign", type=int, default=100_000, help="mails sent while people sign up")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the imported file")
    said = vars(parser.parse_args())
    return said.pop("rounds"), Sizes(**said)


def main() -> None:
    rounds, sizes = asked()
    console = Console()
    with stage() as scene, sink() as (sink_name, port), console.status("Starting…") as status:
        measuring = Measuring(scene, port, sizes, status.update)
        for number in range(1, rounds + 1):
            measuring.round(number, rounds)
    found = measuring.found
    figures = [figure(name, found[key], goal) for key, (name, goal) in names(sizes).items() if key in found]
    table = Table("figure", "median", "lowest", "highest", "goal", title=f"To {sink_name}, {rounds} rounds")
    for line in figures:
        values = (f"{value:,.3g}" for value in (line.median, line.lowest, line.highest))
        table.add_row(line.name, *values, line.goal)
    console.print(table)
    result = {
        **{"sink": sink_name, "rounds": rounds, **asdict(sizes)},
        "figures": [asdict(f) for f in figures],
        "pages": [asdict(page) for page in measuring.pages],
    }
    (FOLDER / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
