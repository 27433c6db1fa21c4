"""The reader."""

from difflib import get_close_matches
from types import TracebackType
from typing import Any, Iterable, List, Optional, Type, TypeVar, Union

from . import _native
from ._conninfo import conninfo
from ._errors import ConfigError, Error
from ._event import ChangeEvent

_Self = TypeVar("_Self", bound="LogicalReplicationReader")

_FLAGS = ("create_slot", "snapshot", "messages", "binary", "manual")
_ARGUMENTS = ("publication_name", "slot_name", "dsn", "resume", *_FLAGS)


class LogicalReplicationReader(_native.Reader):
    """The changes of published tables, in commit order.

    `publication_name` is a name or a list of names. `dsn` is a connection string or URI as libpq
    reads it, and other keyword arguments are its parameters: `host`, `port`, `database` or
    `dbname`, `user`, `password`, `sslmode` and so on. The variables PGHOST, PGUSER and so on supply
    what is missing.

    An event counts as acknowledged when the next one is requested. Once all events of a transaction
    are acknowledged, the server may discard it; after a crash, whole transactions are delivered
    again. A lost connection is replaced, and the iteration continues with the next event.

    - create_slot: create the slot if it does not exist. Without it, a missing slot is an error.
    - snapshot: copy the rows that exist first (op `R`), if the slot is new or its copy incomplete.
    - messages: deliver messages of pg_logical_emit_message too (op `M`, PostgreSQL 14 and later).
    - binary: receive values in binary format (PostgreSQL 14 and later).
    - manual: only events that are passed to `acknowledge` are acknowledged.
    - resume: the position of the last event that was processed.

    Errors are exceptions: `ConfigError` and `TypeError` for arguments that cannot be used, `Error`
    for the rest. An `Error` ends the iteration.

    The exception of a signal handler, such as KeyboardInterrupt, does not end it: the next loop
    continues, and `for` never drops an event. But the exception may also interrupt the body of the
    loop, and that event counts as acknowledged when you request another one. To end without such a
    doubt, call `stop` and leave; the event then comes again. The same holds for an exception
    between `next(reader)` and the assignment of its result.

    After a fork, only the process that created the reader can use it.
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
        publications = _publications(publication_name)
        if not isinstance(slot_name, str):
            raise TypeError(f"slot_name must be a str, not {type(slot_name).__name__}")
        if not slot_name:
            raise ConfigError("slot_name is empty")
        if resume is not None and not isinstance(resume, str):
            raise TypeError(f"resume must be the position of an event, not {type(resume).__name__}")
        flags = dict(zip(_FLAGS, (create_slot, snapshot, messages, binary, manual)))
        for name, flag in flags.items():
            if not isinstance(flag, bool):
                raise TypeError(f"{name} must be a bool, not {type(flag).__name__}")
        self.publication_name = (
            publication_name if isinstance(publication_name, str) else publications
        )
        self.slot_name = slot_name
        settings = {
            "dsn": conninfo(dsn, kwargs),
            "publications": publications,
            "slot": slot_name,
            "resume": resume,
            **flags,
        }
        try:
            self._connect(settings, ChangeEvent)
        except ConfigError as error:
            if error.kind == "unknown_keyword":
                _raise_for_argument(kwargs, str(error))
            raise

    def acknowledge(self, event: ChangeEvent) -> None:
        """Acknowledges an event of this reader, with `manual=True`, from any thread. A transaction
        is acknowledged with all its events."""
        if not isinstance(event, ChangeEvent):
            raise TypeError(f"event must be a ChangeEvent, not {type(event).__name__}")
        if not isinstance(event._native, _native.Event):
            raise Error("an event that was unpickled cannot be acknowledged: keep the original")
        self._acknowledge(event._native)

    def stop(self) -> None:
        """Ends the iteration, in every thread, and frees the slot. The event that was returned last
        counts as acknowledged only if another one was requested after it. A handler of a signal may
        call it."""
        self._stop()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self.stop()
        except Error:
            # The exception that ended the block says more.
            if error is None:
                raise

    def __repr__(self) -> str:
        return f"<LogicalReplicationReader of {self._started}>"


def _raise_for_argument(names: Iterable[str], text: str) -> None:
    """Raises a TypeError if the unknown keyword of a connection string was an argument."""
    for name in names:
        _, found, reason = text.partition(f": {name}: ")
        if found:
            for meant in get_close_matches(name, _ARGUMENTS, 1, 0.8):
                reason = f"did you mean {meant}?"
            raise TypeError(f"unknown argument {name}: {reason}") from None


def _publications(names: Union[str, Iterable[str]]) -> List[str]:
    if isinstance(names, str):
        return [names]
    if isinstance(names, (bytes, bytearray)) or not isinstance(names, Iterable):
        kind = type(names).__name__
        raise TypeError(f"publication_name must be a str or a list of them, not {kind}")
    publications = list(names)
    for name in publications:
        if not isinstance(name, str):
            raise TypeError(f"a publication_name must be a str, not {type(name).__name__}")
    if not publications:
        raise ConfigError("publication_name has no name")
    return publications
