"""The reader."""

from types import TracebackType
from typing import Any, Iterable, Iterator, List, Optional, Type, Union

from . import _native
from .conninfo import conninfo
from .event import ChangeEvent


class LogicalReplicationReader(Iterator[ChangeEvent]):
    """The changes of published tables, in commit order.

    `dsn` is a connection string or URI as libpq reads it, and other keyword arguments are its
    parameters: `host`, `port`, `database` or `dbname`, `user`, `password`, `sslmode` and so on. The
    variables PGHOST, PGUSER and so on supply what is missing.

    An event counts as acknowledged when the next one is requested. Once all events of a transaction
    are acknowledged, the server may discard it; after a crash, whole transactions are delivered
    again. A lost connection is replaced, and the iteration continues with the next event.

    - create_slot: create the slot if it does not exist. Without it, a missing slot is an error.
    - snapshot: copy the rows that exist first (op `R`), if the slot is new or its copy incomplete.
    - messages: deliver messages of pg_logical_emit_message too (op `M`, PostgreSQL 14 and later).
    - binary: receive values in binary format (PostgreSQL 14 and later).
    - manual: only events that are passed to `acknowledge` are acknowledged.
    - resume: the position of the last event that was processed.

    Errors are exceptions: `ConfigError` for arguments that cannot be used, `Error` for the rest. An
    exception ends the iteration, except KeyboardInterrupt, after which it may continue.
    """

    def __init__(
        self,
        publication_name: Union[str, Iterable[str]],
        slot_name: str,
        dsn: Optional[str] = None,
        *,
        create_slot: bool = False,
        snapshot: bool = False,
        messages: bool = False,
        binary: bool = False,
        manual: bool = False,
        resume: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        publications: List[str] = (
            [publication_name] if isinstance(publication_name, str) else list(publication_name)
        )
        self.publication_name = publication_name
        self.slot_name = slot_name
        self._native = _native.Reader(
            {
                "dsn": conninfo(dsn, kwargs),
                "publications": publications,
                "slot": slot_name,
                "create_slot": create_slot,
                "snapshot": snapshot,
                "messages": messages,
                "binary": binary,
                "manual": manual,
                "resume": resume,
            }
        )

    def __iter__(self) -> "LogicalReplicationReader":
        return self

    def __next__(self) -> ChangeEvent:
        event = self._native.next()
        if event is None:
            raise StopIteration
        return ChangeEvent(event)

    def acknowledge(self, event: ChangeEvent) -> None:
        """Acknowledges an event of this reader, with `manual=True`, from any thread. A transaction
        is acknowledged with all its events."""
        self._native.acknowledge(event._native)

    def stop(self) -> None:
        """Ends the iteration, in every thread, and frees the slot. The event that was returned last
        counts as acknowledged only if another one was requested after it."""
        self._native.stop()

    def __enter__(self) -> "LogicalReplicationReader":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LogicalReplicationReader of {self._native.started}>"
