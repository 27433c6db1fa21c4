"""Change events."""

import datetime
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Dict, List, Optional
from uuid import UUID

from . import _native
from .values import timestamp, value


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

    column_definitions: List[ColumnDefinition]
    db: str
    schema_name: str
    table: str
    relation_id: int


@dataclass(frozen=True)
class Transaction:
    """The transaction of a change. `begin_lsn` is the LSN of its commit, which Begin announces."""

    tx_id: int
    begin_lsn: int
    commit_ts: datetime.datetime


class ChangeEvent:
    """One change, with its transaction, its table as it was then, and its rows.

    Columns are Python values: int, float, Decimal (numeric), bool, str, datetime, date, time, UUID,
    bytes, lists, and what a JSON document holds. A value that its Python type cannot represent,
    such as the date infinity, is a str.
    """

    def __init__(self, native: "_native.Event") -> None:
        self._native = native

    @property
    def op(self) -> str:
        """`I`, `U`, `D`, `T` (truncate), `M` (logical message), `R` and `Z` (initial copy)."""
        return self._native.op

    @property
    def position(self) -> str:
        """The position after this event, for `resume`."""
        return self._native.position

    @property
    def is_last(self) -> bool:
        """Whether this is the last event of its transaction."""
        return self._native.is_last

    @property
    def message_id(self) -> UUID:
        """The same on every delivery of the same change."""
        return UUID(self._fields["message_id"])

    @property
    def lsn(self) -> int:
        """The LSN of the change."""
        return self._fields["lsn"]

    @cached_property
    def transaction(self) -> Optional[Transaction]:
        """The transaction; None for rows of the initial copy and for messages outside of one."""
        fields = self._fields["transaction"]
        if fields is None:
            return None
        return Transaction(fields["tx_id"], fields["begin_lsn"], timestamp(fields["commit_ts"]))

    @cached_property
    def table_schema(self) -> Optional[TableSchema]:
        """The table; None for an event without one."""
        fields = self._fields.get("table_schema")
        if fields is None:
            return None
        columns = [
            ColumnDefinition(
                column["name"],
                column["part_of_pkey"],
                column["type_id"],
                column["type_name"],
                column["optional"],
            )
            for column in fields["column_definitions"]
        ]
        names = (fields["db"], fields["schema_name"], fields["table"], fields["relation_id"])
        return TableSchema(columns, *names)

    @cached_property
    def before(self) -> Optional[Dict[str, Any]]:
        """The old row: the key by default, all columns with REPLICA IDENTITY FULL; or None."""
        return self._row("before")

    @cached_property
    def after(self) -> Optional[Dict[str, Any]]:
        """The new row, or None."""
        return self._row("after")

    def json(self, indent: Optional[int] = None) -> str:
        """Returns the event as JSON, with all digits of all numbers, on one line or indented."""
        return self._native.json(indent)

    def dict(self) -> Dict[str, Any]:
        """Returns the event as nested dictionaries of Python values, with the keys of the JSON."""
        fields = dict(self._fields)
        fields["message_id"] = self.message_id
        if self.transaction is not None:
            fields["transaction"] = {**fields["transaction"], **asdict(self.transaction)}
        for name in ("before", "after"):
            if name in fields:
                fields[name] = getattr(self, name)
        return fields

    def __repr__(self) -> str:
        return f"ChangeEvent({self.json()})"

    @cached_property
    def _fields(self) -> Dict[str, Any]:
        return json.loads(self._native.json(), parse_float=Decimal)

    @cached_property
    def _types(self) -> Dict[str, ColumnDefinition]:
        columns = [] if self.table_schema is None else self.table_schema.column_definitions
        return {column.name: column for column in columns}

    def _row(self, name: str) -> Optional[Dict[str, Any]]:
        row = self._fields.get(name)
        if row is None:
            return None
        types = self._types
        return {column: value(types.get(column), field) for column, field in row.items()}
