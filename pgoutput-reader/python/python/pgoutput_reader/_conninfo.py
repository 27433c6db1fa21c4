"""Connection strings from keyword arguments."""

import os
from typing import Any, Optional
from urllib.parse import quote


def conninfo(dsn: Optional[str], parameters: "dict[str, Any]") -> str:
    """Adds libpq's keywords to a connection string. None leaves a keyword out, so that its default
    applies; `database` is `dbname`."""
    if dsn is not None and not isinstance(dsn, str):
        raise TypeError(f"dsn must be a str, not {type(dsn).__name__}")
    given = {name: _text(name, value) for name, value in parameters.items() if value is not None}
    if "database" in given:
        if "dbname" in given:
            raise TypeError("give database or dbname, not both")
        given["dbname"] = given.pop("database")
    if dsn and dsn.startswith(("postgresql://", "postgres://")):
        return _with_query(dsn, given)
    words = [f"{name}={_quoted(value)}" for name, value in given.items()]
    return " ".join([dsn, *words] if dsn else words)


def _text(name: str, value: Any) -> str:
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"{name} must be a str, an int or a path, not {type(value).__name__}")


def _with_query(uri: str, given: "dict[str, str]") -> str:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    if not query:
        return uri
    if "?" not in uri:
        return f"{uri}?{query}"
    return f"{uri}{query}" if uri.endswith(("?", "&")) else f"{uri}&{query}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
