"""PostgreSQL change data capture: a plain iterator of change events.

    import pgoutput_reader

    reader = pgoutput_reader.LogicalReplicationReader(
        publication_name="my_publication", slot_name="my_slot", dsn="postgresql://app@localhost/app"
    )
    for event in reader:
        print(event.json(indent=2))
    reader.stop()
"""

from ._native import ConfigError, Error, __version__
from .event import ChangeEvent, ColumnDefinition, TableSchema, Transaction
from .reader import LogicalReplicationReader

__all__ = [
    "ChangeEvent",
    "ColumnDefinition",
    "ConfigError",
    "Error",
    "LogicalReplicationReader",
    "TableSchema",
    "Transaction",
    "__version__",
]
