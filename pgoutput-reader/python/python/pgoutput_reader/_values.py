"""Columns as Python values, from the JSON of an event."""

import datetime
from decimal import Decimal
from typing import Any, Callable, Dict, Optional
from uuid import UUID


def timestamp(text: str) -> datetime.datetime:
    """Reads a time of a commit."""
    return datetime.datetime.fromisoformat(text)


def value(type_id: Optional[int], field: Any) -> Any:
    """Returns the Python value of a column. Its type is that of the oid: a domain, an enum or
    another type of the user stays as JSON has it."""
    if type_id is None or field is None:
        return field
    read = _ELEMENTS.get(type_id)
    if read is not None:
        return _array(read, field)
    read = _SCALARS.get(type_id)
    return field if read is None else _read(read, field)


def _array(read: Callable[[Any], Any], field: Any) -> Any:
    if isinstance(field, list):
        return [_array(read, element) for element in field]
    return field if field is None else _read(read, field)


def _read(read: Callable[[Any], Any], field: Any) -> Any:
    try:
        return read(field)
    except (ArithmeticError, ValueError, TypeError):
        # Python's type cannot represent it: infinity, a year BC, a value of another type.
        return field


def _numeric(field: Any) -> Decimal:
    # NaN and the infinities are strings.
    return field if isinstance(field, Decimal) else Decimal(field)


def _bytes(field: str) -> bytes:
    if not field.startswith("\\x"):
        raise ValueError("not the form of a bytea")
    return bytes.fromhex(field[2:])


def _document(field: Any) -> Any:
    """A document of JSON with numbers as Python's own reader has them."""
    if isinstance(field, Decimal):
        return float(field)
    if isinstance(field, list):
        return [_document(element) for element in field]
    if isinstance(field, dict):
        return {key: _document(element) for key, element in field.items()}
    return field


# The oids of built-in types never change: src/include/catalog/pg_type.dat in PostgreSQL's source.
_SCALARS: Dict[int, Callable[[Any], Any]] = {
    17: _bytes,
    114: _document,
    700: float,
    701: float,
    1082: datetime.date.fromisoformat,
    1083: datetime.time.fromisoformat,
    1114: datetime.datetime.fromisoformat,
    1184: datetime.datetime.fromisoformat,
    1700: _numeric,
    2950: UUID,
    3802: _document,
}

_ARRAY_OF: Dict[int, int] = {
    1001: 17,
    199: 114,
    1021: 700,
    1022: 701,
    1182: 1082,
    1183: 1083,
    1115: 1114,
    1185: 1184,
    1231: 1700,
    2951: 2950,
    3807: 3802,
}

_ELEMENTS = {array: _SCALARS[element] for array, element in _ARRAY_OF.items()}
