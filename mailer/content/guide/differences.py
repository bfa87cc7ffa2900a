"""What the guide changed and what the author changed, side by side with what there was before."""

from __future__ import annotations

from difflib import unified_diff


def three_way(name: str, *, base: str, guide: str, author: str | None) -> str:
    """Both changes as unified diffs under a line that says whose text was kept. `author` None: deleted."""
    kept = "your text was kept" if author is not None else "you had deleted it, so it stays deleted"
    parts = [
        f"{name}: the guide changed this, and so did you; {kept}.",
        _diff(base, guide, "the guide as it was", "the guide as it is now"),
    ]
    if author is not None:
        parts.append(_diff(base, author, "the guide as it was", f"your {name}"))
    return "\n".join(parts)


def _diff(before: str, after: str, before_name: str, after_name: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), before_name, after_name, lineterm="", n=1)
    return "\n".join(lines)
