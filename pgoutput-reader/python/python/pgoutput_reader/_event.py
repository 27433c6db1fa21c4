"""Change events."""

import datetime
import json
import operator
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union
from uuid import UUID

from . import _native
from ._values import timestamp, value

_MAX_INDENT = 100


@dataclass(frozen=True)
class ColumnDefinition:
    """A column of a table, at the time of the change."""

    name: str
    part_of_pkey: bool
    type_id: int
    type_name: str
    optional: bool


@dataclass(frozen=True)
class TableSchema:
    """A table at the time of the change."""

    column_definitions: Tuple[ColumnDefinition, ...]
    db: str
    schema_name: str
    table: str
    relation_id: int


@dataclass(frozen=True)
class Transaction:
    """The transaction of a change. `begin_lsn` has its name from pypgoutput: it is the LSN of the
    commit, which the server announces at the beginning."""

    tx_id: int
    begin_lsn: int
    commit_ts: datetime.datetime


@dataclass(frozen=True)
class Truncate:
    """The options of a TRUNCATE."""

    cascade: bool
    restart_identity: bool


@dataclass(frozen=True)
class LogicalMessage:
    """A message of pg_logical_emit_message."""

    transactional: bool
    prefix: str
    content: bytes


class _Stored(NamedTuple):
    """What an event consists of when it is pickled."""

    op: str
    lsn: int
    message_id: str
    table: Optional[str]
    position: str
    is_last: bool
    text: str

    def json(self) -> str:
        return self.text


class ChangeEvent:
    """One change, with its transaction, its table as it was then, and its rows.

    Columns are Python values: int, float, Decimal (numeric), bool, str, datetime, date, time, UUID,
    bytes, lists, and what a JSON document holds. A value that its Python type cannot represent,
    such as the date infinity or a year BC, is a str, and so is a value of any other type.

    `dict()` and `json()` have more about unusual values, under the keys `json_null`,
    `json_as_text`, `value_text`, `array_bounds`, `invalid_utf8` and `type_mismatch`, which
    docs/events.md of the repository describes.
    """

    def __init__(self, native: Union["_native.Event", _Stored]) -> None:
        if not isinstance(native, (_native.Event, _Stored)):
            raise TypeError("only a reader creates a ChangeEvent")
        self._native = native

    @property
    def op(self) -> str:
        """`I`, `U`, `D`, `T` (truncate), `M` (logical message), `R` and `Z` (a row of the initial
        copy, and its end)."""
        return self._native.op

    @property
    def position(self) -> str:
        """The position after this event, for `resume`: a text without a meaning of its own."""
        return self._native.position

    @property
    def is_last(self) -> bool:
        """Whether this is the last event of its transaction."""
        return self._native.is_last

    @property
    def message_id(self) -> UUID:
        """The same on every delivery of the same change."""
        return UUID(self._native.message_id)

    @property
    def lsn(self) -> int:
        """The LSN of the change."""
        return self._native.lsn

    @property
    def transaction(self) -> Optional[Transaction]:
        """The transaction; None for rows of the initial copy and for messages outside of one."""
        return self._transaction

    @property
    def table_schema(self) -> Optional[TableSchema]:
        """The table; None for ops `M` and `Z`."""
        return self._table_schema

    @property
    def before(self) -> Optional[Dict[str, Any]]:
        """The old row: the key by default, all columns with REPLICA IDENTITY FULL; or None."""
        return self._before

    @property
    def after(self) -> Optional[Dict[str, Any]]:
        """The new row, or None. Columns in `unchanged_toast` are absent."""
        return self._after

    @property
    def unchanged_toast(self) -> List[str]:
        """The columns that an update did not change and the server did not send, since their values
        are large. With REPLICA IDENTITY FULL, `before` has them."""
        return list(self._fields.get("unchanged_toast", ()))

    @property
    def truncate(self) -> Optional[Truncate]:
        """The options of a TRUNCATE; None for other ops."""
        fields = self._fields.get("truncate")
        return None if fields is None else Truncate(fields["cascade"], fields["restart_identity"])

    @property
    def message(self) -> Optional[LogicalMessage]:
        """The logical message; None for other ops."""
        fields = self._fields.get("message")
        if fields is None:
            return None
        content = fields.get("content")
        content = bytes.fromhex(fields["content_hex"]) if content is None else content.encode()
        return LogicalMessage(fields["transactional"], fields["prefix"], content)

    def json(self, indent: Optional[int] = None) -> str:
        """Returns the event as JSON, with all digits of all numbers, on one line or indented by 0
        to 100 spaces."""
        text = self._native.json()
        if indent is None:
            return text
        spaces = operator.index(indent)
        if not 0 <= spaces <= _MAX_INDENT:
            raise ValueError(f"indent must be from 0 to {_MAX_INDENT}, or None")
        return _native.indent(text, spaces)

    def dict(self) -> Dict[str, Any]:
        """Returns the event as new, nested dictionaries of Python values, with the keys of the
        JSON."""
        fields = self._read()
        fields["message_id"] = self.message_id
        if self.transaction is not None:
            fields["transaction"].update(asdict(self.transaction))
        for name in ("before", "after"):
            if name in fields:
                fields[name] = self._row(fields[name])
        return fields

    def __repr__(self) -> str:
        table = "" if self._native.table is None else f" of {self._native.table}"
        return f"<ChangeEvent {self.op}{table} at {self.lsn >> 32:X}/{self.lsn & 0xFFFFFFFF:X}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChangeEvent):
            return NotImplemented
        return self.position == other.position and self.json() == other.json()

    def __hash__(self) -> int:
        return hash(self.position)

    def __copy__(self) -> "ChangeEvent":
        return type(self)(self._native)

    def __deepcopy__(self, _memo: Any) -> "ChangeEvent":
        return type(self)(self._native)

    def __reduce__(self) -> Any:
        native = self._native
        stored = _Stored(
            native.op,
            native.lsn,
            native.message_id,
            native.table,
            native.position,
            native.is_last,
            native.json(),
        )
        return type(self), (stored,)

    def _read(self) -> Dict[str, Any]:
        fields: Dict[str, Any] = json.loads(self._native.json(), parse_float=Decimal)
        return fields

    @cached_property
    def _fields(self) -> Dict[str, Any]:
        return self._read()

    @cached_property
    def _transaction(self) -> Optional[Transaction]:
        fields = self._fields["transaction"]
        if fields is None:
            return None
        return Transaction(fields["tx_id"], fields["begin_lsn"], timestamp(fields["commit_ts"]))

    @cached_property
    def _table_schema(self) -> Optional[TableSchema]:
        fields = self._fields.get("table_schema")
        if fields is None:
            return None
        columns = tuple(
            ColumnDefinition(
                column["name"],
                column["part_of_pkey"],
                column["type_id"],
                column["type_name"],
                column["optional"],
            )
            for column in fields["column_definitions"]
        )
        names = (fields["db"], fields["schema_name"], fields["table"], fields["relation_id"])
        return TableSchema(columns, *names)

    @cached_property
    def _before(self) -> Optional[Dict[str, Any]]:
        return self._row(self._fields.get("before"))

    @cached_property
    def _after(self) -> Optional[Dict[str, Any]]:
        return self._row(self._fields.get("after"))

    @cached_property
    def _types(self) -> Dict[str, int]:
        schema = self._fields.get("table_schema") or {"column_definitions": ()}
        return {column["name"]: column["type_id"] for column in schema["column_definitions"]}

    def _row(self, row: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
        if row is None:
            return None
        types = self._types
        return {column: value(types.get(column), field) for column, field in row.items()}
