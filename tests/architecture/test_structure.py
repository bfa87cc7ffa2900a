"""The house: contracts on imports, files and functions that a person can hold in their head."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "mailer").rglob("*.py"), *(ROOT / "worker").rglob("*.py")])
OURS = [path for path in SOURCES if "versions" not in path.parts]


def test_imports_point_downward_only() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([str(tool)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is_for_and_stays_small(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == "" or ast.get_docstring(tree), "no docstring"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450
    for function in functions(tree):
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < 60, f"{function.name} is longer than a glance"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_only_session_scope_commits() -> None:
    allowed = {ROOT / "mailer" / "db.py", ROOT / "mailer" / "migrations" / "__init__.py"}
    for path in set(OURS) - allowed:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_commit = isinstance(node, ast.Attribute) and node.attr == "commit"
            assert not is_commit, path


def test_nothing_waits_in_the_broker() -> None:
    """celery #2481, kombu #337: a task with a countdown is delivered again after the visibility timeout."""
    for path in [*(ROOT / "mailer").rglob("*.py"), *(ROOT / "worker").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        words = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert not words & {"countdown", "eta", "retry_backoff"}, path
