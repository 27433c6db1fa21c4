"""Exceptions."""

from typing import Optional


class Error(Exception):
    """Reading cannot start or continue. The text says why, and what to do.

    `sqlstate` is the server's error code, if the server reported the error. `kind` is one of these
    words: `slot_missing`, `slot_lost`, `publication_missing`, `wal_level`, `setup` (another error
    before the start), `server`, `io`, `timeout`, `auth`, `tls`, `config`, `unknown_keyword` (in
    `dsn`), `position`, `snapshot`, `history`, `catalog`, `stream`, `limit`, `spill`, `unsupported`,
    `value` (JSON of one event), `other`.
    """

    __module__ = "pgoutput_reader"

    kind: str
    sqlstate: Optional[str]

    def __init__(self, message: str, kind: str = "other", sqlstate: Optional[str] = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.sqlstate = sqlstate


class ConfigError(Error):
    """An argument is not valid, or arguments do not fit together."""

    __module__ = "pgoutput_reader"

    def __init__(
        self, message: str, kind: str = "config", sqlstate: Optional[str] = None
    ) -> None:
        super().__init__(message, kind, sqlstate)
