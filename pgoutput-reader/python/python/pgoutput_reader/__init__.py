"""PostgreSQL change data capture: a plain iterator of change events.

    import pgoutput_reader

    with pgoutput_reader.LogicalReplicationReader(
        publication_name="my_publication", slot_name="my_slot", dsn="postgresql://app@localhost/app"
    ) as reader:
        for event in reader:
            print(event.json(indent=2))
"""

from ._errors import ConfigError, Error
from ._event import (
    ChangeEvent,
    ColumnDefinition,
    LogicalMessage,
    TableSchema,
    Transaction,
    Truncate,
)
from ._native import __version__
from ._reader import LogicalReplicationReader

__all__ = [
    "ChangeEvent",
    "ColumnDefinition",
    "ConfigError",
    "Error",
    "LogicalMessage",
    "LogicalReplicationReader",
    "TableSchema",
    "Transaction",
    "Truncate",
    "__version__",
]
