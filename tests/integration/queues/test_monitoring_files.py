"""The rules and the dashboard name only what /metrics has, and lead to sections that there are."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import yaml

from mailer.reports.findings import FindingKind
from mailer.reports.metrics import as_prometheus
from mailer.reports.queues import AllowedStatus, HoldStatus, LaneStatus, QueueStatus, WorkerStatus
from mailer.settings import PROJECT

DOCS = PROJECT / "docs"
NAME = re.compile(r"steadypost_\w+")


def metrics() -> set[str]:
    """Every name, by a status in which nothing is missing."""
    now = datetime(2027, 3, 1, tzinfo=UTC)
    lane = LaneStatus("course", 5, 9.0, 1, 1, 0.5, 1, 1, 0, 9.0)
    status = QueueStatus(
        *(now, [lane], {"course": 1}, [WorkerStatus("course", "course@here", 1.0, 0.1)], {"course": 1.0}),
        [HoldStatus("person", "lane", "campaign", "", now)],
        (),
        [AllowedStatus("default", "", "hour", 100, "set")],
        ["default"],
    )
    return set(re.findall(r"^(steadypost_\w+)[ {]", as_prometheus(status).decode(), re.MULTILINE))


def sections() -> set[str]:
    """The words by which alarms find their section."""
    return set(re.findall(r"^### `([a-z-]+)` \w", (DOCS / "operating.md").read_text(), re.MULTILINE))


def test_every_alarm_has_its_section_in_the_guide() -> None:
    assert sections() == set(FindingKind)


def test_alert_rules_name_what_there_is() -> None:
    groups = yaml.safe_load((DOCS / "monitoring" / "steadypost.rules.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    named = {name for rule in rules for name in NAME.findall(rule["expr"])}
    assert named
    assert named <= metrics()
    for rule in rules:
        assert {"alert", "expr", "for", "labels", "annotations"} == set(rule), rule["alert"]
        file, _, section = rule["annotations"]["runbook"].partition("#")
        assert file == "docs/operating.md"
        assert section in sections() | {"alarms"}


def test_the_dashboard_names_what_there_is() -> None:
    dashboard = json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for expr in targets for name in NAME.findall(expr)}
    assert named <= metrics()
    # What somebody looks at first must not be missing from it.
    assert {"steadypost_late_seconds", "steadypost_accepted_per_second", "steadypost_transport_up"} <= named
