"""One start per data folder, private socket folders, and ports that are free."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.embedded.ports import LOOPBACK, PortClaims
from mailer.embedded.runtime import lock_data_dir, make_runtime_folder, remove_runtime_folder, runtime_path
from mailer.errors import Refused

HOLD = """
import sys, time
from pathlib import Path
from mailer.embedded.runtime import lock_data_dir
lock = lock_data_dir(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs on the same data folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_start_is_refused_with_the_number_of_the_first(
    data_dir: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(Refused, match=rf"already running on {data_dir} \(process {holder.pid}\)"):
        lock_data_dir(data_dir)


def test_a_killed_process_holds_nothing(data_dir: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with lock_data_dir(data_dir):
        pass


def test_a_lock_that_was_let_go_can_be_taken_again(data_dir: Path) -> None:
    lock_data_dir(data_dir).release()
    lock_data_dir(data_dir).release()


def test_a_data_folder_that_cannot_be_made_is_refused(data_dir: Path) -> None:
    in_the_way = data_dir / "file"
    in_the_way.touch()
    with pytest.raises(Refused, match="set STEADYPOST_DATA_DIR to a folder that can"):
        lock_data_dir(in_the_way / "data")


def test_the_socket_folder_is_short_private_and_the_same_each_time(data_dir: Path) -> None:
    made = make_runtime_folder(data_dir, "redis")
    try:
        assert made == make_runtime_folder(data_dir, "redis")
        assert len(str(made)) < 40
        assert made.stat().st_mode & 0o077 == 0
        assert made.parent.stat().st_mode & 0o066 == 0
        assert runtime_path(data_dir / "other") != runtime_path(data_dir)
    finally:
        remove_runtime_folder(data_dir, "redis")
    assert not made.parent.exists()


def test_a_socket_folder_that_leads_elsewhere_is_refused(data_dir: Path) -> None:
    trap = runtime_path(data_dir)
    trap.symlink_to(data_dir)
    try:
        with pytest.raises(Refused, match="belongs to somebody else"):
            make_runtime_folder(data_dir, "redis")
    finally:
        trap.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_socket_folder_of_somebody_else_is_refused(data_dir: Path) -> None:
    trap = runtime_path(data_dir)
    trap.mkdir()
    os.chown(trap, 65534, 65534)
    try:
        with pytest.raises(Refused, match="belongs to somebody else"):
            make_runtime_folder(data_dir, "redis")
    finally:
        trap.rmdir()


def test_a_busy_port_is_stepped_around() -> None:
    with socket.socket() as busy:
        busy.bind((LOOPBACK, 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert PortClaims().take(port) > port
    assert PortClaims().take(port) == port


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the names that hold a claim")
def test_of_two_stacks_that_start_together_each_has_ports_of_its_own() -> None:
    ours, theirs = PortClaims(), PortClaims()
    web = ours.take(20_000)
    mailbox = ours.take(20_000)
    assert mailbox > web
    assert theirs.take(web) not in (web, mailbox)
    ours.release()
    assert theirs.take(web) == web
    theirs.release()
