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

from benchmarks.sending import naive, planned, sink, whole_path, wire
from benchmarks.stage import House, Stage, stage
from mailer.db import business_now, session_scope
from mailer.schedule.plan import plan_due

FOLDER = Path(__file__).parent
ROUNDS = 3


@dataclass(frozen=True)
class Figure:
    """One line of the table; `goal` is what we want of `median`."""

    name: str
    median: float
    lowest: float
    highest: float
    goal: str


def figure(name: str, values: Sequence[float], goal: str) -> Figure:
    return Figure(name, statistics.median(values), min(values), max(values), goal)


def idle_tick(house: House) -> float:
    """Milliseconds of a tick that finds nothing due: the median of many."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        with session_scope(house.sessions) as session:
            plan_due(session, business_now(session))
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def idle_ratio(scene: Stage, many: int, few: int) -> float:
    small = idle_tick(scene.house(few, 0))
    return idle_tick(scene.house(many, 0)) / small


def measure(scene: Stage, mails: int, many: int, say: Callable[[str], None]) -> tuple[str, list[Figure]]:
    """Every figure, its rounds interleaved; also which sink took the mails."""
    found: dict[str, list[float]] = {}
    with sink() as (sink_name, port):
        for number in range(1, ROUNDS + 1):
            say(f"round {number} of {ROUNDS}: planning")
            found.setdefault("plan", []).append(planned(scene.house(20_000, 20_000)))
            say(f"round {number} of {ROUNDS}: idle tick")
            found.setdefault("idle", []).append(idle_ratio(scene, many, 10_000))
            say(f"round {number} of {ROUNDS}: sending")
            path, plain, bare = whole_path(scene, port, mails), naive(scene, port, 200), wire(port, 20_000)
            found.setdefault("naive", []).append(path.rate / plain)
            found.setdefault("processor", []).append(path.processor)
            if bare is not None:
                found.setdefault("wire", []).append(path.rate / bare)
    names = {
        "wire": ("whole path, 2 worker processes, ratio to the wire", ">= 0.5"),
        "naive": ("the same, ratio to the naive way", ">= 20"),
        "processor": ("processor seconds per 1,000 mails", "<= 0.15"),
        "plan": ("planning: rows per second", ">= 20000"),
        "idle": (f"idle tick at {many:,} enrollments against 10,000", "<= 1.3"),
    }
    return sink_name, [figure(name, found[key], goal) for key, (name, goal) in names.items() if key in found]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--mails", type=int, default=2_000, help="mails of one round of the whole path")
    parser.add_argument("--many", type=int, default=1_000_000, help="enrollments for the idle tick")
    arguments = parser.parse_args()
    console = Console()
    with stage() as scene, console.status("Starting…") as status:
        sink_name, figures = measure(scene, arguments.mails, arguments.many, status.update)
    table = Table("figure", "median", "lowest", "highest", "goal", title=f"To {sink_name}, {ROUNDS} rounds")
    for line in figures:
        values = (f"{value:,.3g}" for value in (line.median, line.lowest, line.highest))
        table.add_row(line.name, *values, line.goal)
    console.print(table)
    result = {
        "sink": sink_name,
        "rounds": ROUNDS,
        "mails": arguments.mails,
        "figures": [asdict(f) for f in figures],
    }
    (FOLDER / "results.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
