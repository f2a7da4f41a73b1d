# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of the PostgreSQL image, with programs of PostgreSQL that only say how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[4] / "tools" / "origin" / "postgres-entrypoint.sh"
PASSWORD = 'it\'s a $ecret \\ "x"'
# Each notes its arguments; initdb makes what the real one makes, and keeps the password that it was given.
PROGRAMS = {
    "id": 'case "$1" in -u) echo "${FAKE_UID:-999}" ;; *) echo postgres ;; esac',
    "initdb": """echo "initdb $*" >>"$CALLS"
case " $* " in *" --sync-only "*) exit 0 ;; esac
for argument; do case $argument in --pgdata=*) data=${argument#--pgdata=} ;; esac; done
mkdir -p "$data/base" && echo 15 >"$data/PG_VERSION" && echo local >"$data/pg_hba.conf"
case " $* " in *" --pwfile=/dev/stdin "*) cat >"$data/password" ;; esac
[ -z "${FAKE_INITDB_FAILS:-}" ] || exit 1""",
    "pg_ctl": 'echo "pg_ctl $*" >>"$CALLS"; [ -z "${FAKE_KILLED:-}" ] || kill -9 $PPID',
    "psql": 'echo "psql $* <$(cat)> $PGDATABASE@$PGHOST" >>"$CALLS"',
    "postgres": 'echo "postgres $*" >>"$CALLS"; env >"$CALLS.env"',
    "setpriv": 'echo "setpriv $*" >>"$CALLS"',
    # The folder of sockets is the image's, not this machine's.
    "mkdir": """for argument; do shift; [ "$argument" = /var/run/postgresql ] || set -- "$@" "$argument"; done
exec /bin/mkdir "$@\"""",
    "chown": 'echo "chown $*" >>"$CALLS"',
}


class Container:
    """A place to start the script in, again and again."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.calls = folder / "calls"
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name, text in PROGRAMS.items():
            (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.programs / name).chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Start it; what was called the last time is forgotten."""
        self.calls.write_text("")
        known = {"PATH": f"{self.programs}:{os.environ['PATH']}", "PGDATA": str(self.data), "CALLS": str(self.calls)}
        return subprocess.run(
            ["/bin/sh", str(SCRIPT), *arguments],
            env={**known, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def called(self, name: str) -> list[str]:
        """How a program was called."""
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name + " ")]


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_the_first_start_makes_everything_and_the_next_ones_only_serve(container: Container) -> None:
    wanted = {"POSTGRES_DB": "mydb", "POSTGRES_USER": "user", "POSTGRES_PASSWORD": PASSWORD}
    done = container.start("postgres", "-c", "max_connections=37", **wanted)
    assert done.returncode == 0, done.stderr
    (made, synced) = container.called("initdb")
    assert "--username=user" in made and "--sync-only" in synced
    assert (container.data / "password").read_text() == PASSWORD + "\n"
    assert "--set=name=mydb <CREATE DATABASE" in container.called("psql")[0]
    assert [line.split()[-1] for line in container.called("pg_ctl")] == ["start", "stop"]
    assert (container.data / "pg_hba.conf").read_text() == "local\nhost all all all scram-sha-256\n"
    assert (container.data / "PG_VERSION").read_text() == "15\n"
    assert container.data.stat().st_mode & 0o777 == 0o700
    assert not (container.data / ".new").exists() and not (container.data / "complete").exists()
    (served,) = container.called("postgres")
    assert served.startswith(f"postgres -D {container.data} -c listen_addresses=* ")
    assert served.endswith(" -c max_connections=37")
    assert container.start(**wanted).returncode == 0
    assert container.called("initdb") == [] and len(container.called("postgres")) == 1


def test_the_password_is_in_no_argument_no_output_and_not_with_the_server(container: Container) -> None:
    done = container.start(POSTGRES_PASSWORD=PASSWORD)
    assert done.returncode == 0
    assert PASSWORD not in done.stdout + done.stderr + container.calls.read_text()
    assert PASSWORD not in Path(f"{container.calls}.env").read_text()


def test_the_database_is_named_as_the_user_and_the_usual_one_is_not_made_again(container: Container) -> None:
    container.start(POSTGRES_USER="shop", POSTGRES_PASSWORD="x")
    assert "--set=name=shop" in container.called("psql")[0]


def test_the_usual_database_is_there_already(container: Container) -> None:
    container.start(POSTGRES_PASSWORD="x")
    assert container.called("psql") == []


def test_values_come_from_files_too(container: Container, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-file\n")
    assert container.start(POSTGRES_PASSWORD_FILE=str(tmp_path / "password")).returncode == 0
    assert (container.data / "password").read_text() == "from-file\n"
    both = container.start(POSTGRES_PASSWORD="x", POSTGRES_PASSWORD_FILE=str(tmp_path / "password"))
    assert both.returncode == 1 and "are both set" in both.stderr
    missing = container.start(POSTGRES_PASSWORD_FILE="/nowhere")
    assert missing.returncode == 1 and "/nowhere, which cannot be read" in missing.stderr


def test_without_a_password_nothing_is_made(container: Container) -> None:
    done = container.start()
    assert done.returncode == 1 and "POSTGRES_PASSWORD is not set" in done.stderr
    assert container.called("initdb") == []
    assert container.start(POSTGRES_HOST_AUTH_METHOD="trust").returncode == 0
    assert "--pwfile" not in container.called("initdb")[0]
    assert (container.data / "pg_hba.conf").read_text().endswith("host all all all trust\n")


def test_a_first_start_that_was_ended_is_begun_again(container: Container) -> None:
    assert container.start(POSTGRES_PASSWORD="x", FAKE_KILLED="1").returncode == -9
    assert (container.data / ".new" / "PG_VERSION").exists() and not (container.data / "PG_VERSION").exists()
    (container.data / ".new" / "half").touch()
    assert container.start(POSTGRES_PASSWORD="x").returncode == 0
    assert not (container.data / "half").exists() and (container.data / "PG_VERSION").exists()


def test_a_first_start_that_was_ended_while_it_moved_goes_on(container: Container) -> None:
    new = container.data / ".new"
    (new / "base").mkdir(parents=True)
    (new / "PG_VERSION").write_text("15\n")
    (new / "complete").touch()
    (container.data / "global").mkdir()
    assert container.start(POSTGRES_PASSWORD="x").returncode == 0
    assert container.called("initdb") == []
    assert sorted(os.listdir(container.data)) == ["PG_VERSION", "base", "global"]


def test_a_failure_of_initdb_is_one_of_the_container(container: Container) -> None:
    assert container.start(POSTGRES_PASSWORD="x", FAKE_INITDB_FAILS="1").returncode != 0
    assert container.called("postgres") == [] and not (container.data / "PG_VERSION").exists()


def test_a_folder_of_other_things_is_left_alone(container: Container) -> None:
    container.data.mkdir()
    (container.data / "lost+found").mkdir()
    assert container.start(POSTGRES_PASSWORD="x").returncode == 0
    (container.data / "PG_VERSION").unlink()
    done = container.start(POSTGRES_PASSWORD="x")
    assert done.returncode == 1 and "contains base but no database (PG_VERSION)" in done.stderr
    assert (container.data / "base").exists()


def test_root_prepares_the_folder_and_becomes_the_server_s_user(container: Container) -> None:
    done = container.start("postgres", POSTGRES_PASSWORD="x", FAKE_UID="0")
    assert done.returncode == 0, done.stderr
    (switched,) = container.called("setpriv")
    assert switched == f"setpriv --reuid=999 --regid=999 --clear-groups -- {SCRIPT} postgres"
    assert f"chown -R 999:999 {container.data}" in container.called("chown")
    assert container.called("postgres") == [], "nothing of the server runs as root"


def test_another_command_is_run_as_it_is(container: Container) -> None:
    assert container.start("echo", "hello").stdout == "hello\n"
    assert container.start("postgres", "--version").returncode == 0
    assert container.called("postgres") == ["postgres --version"]
