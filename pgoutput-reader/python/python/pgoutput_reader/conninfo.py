"""Connection strings from keyword arguments."""

from typing import Any, Optional
from urllib.parse import quote


def conninfo(dsn: Optional[str], parameters: "dict[str, Any]") -> str:
    """Adds libpq's keywords to a connection string. None leaves a keyword out, so that its default
    applies; `database` is `dbname`."""
    given = {name: value for name, value in parameters.items() if value is not None}
    if "database" in given:
        if "dbname" in given:
            raise TypeError("give database or dbname, not both")
        given["dbname"] = given.pop("database")
    if dsn and _is_uri(dsn):
        return _with_query(dsn, given)
    words = [f"{name}={_quoted(str(value))}" for name, value in given.items()]
    return " ".join([dsn, *words] if dsn else words)


def _is_uri(dsn: str) -> bool:
    return dsn.startswith(("postgresql://", "postgres://"))


def _with_query(uri: str, given: "dict[str, Any]") -> str:
    query = "&".join(
        f"{name}={quote(str(value), safe='')}" for name, value in given.items()
    )
    if not query:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{query}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
