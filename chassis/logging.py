"""Logs are JSON, one object a line, on standard output (12-factor); each carries the request's id."""

import contextlib
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from chassis import trace, turn

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}

_process = ""
_http = logging.getLogger("http")


class JsonFormatter(logging.Formatter):
    """`logger.info("msg", extra={...})` as one JSON line; what `extra` brings stands beside the message."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := trace.current():
            line["request_id"] = current.trace_id
        line |= {key: value for key, value in record.__dict__.items() if key not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()
        except orjson.JSONEncodeError:  # a lone surrogate: what is wrong with a request may be what must be logged
            return json.dumps(line, default=str)


def configure(process: str, level: str) -> None:
    """Sends every logger of this process to standard output as JSON."""
    global _process
    _process = process
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(process))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The edge writes one line a request itself, and whoever starts a process knows that it starts.
    for chatty in ("httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


_lines: list[bytes] = []
"""Lines of requests that ended in this turn of the event loop; they are written together when it ends."""


def access(method: str, path: str, status: int, seconds: float, operation: str | None = None) -> None:
    """The line of one request, as the logger `http` would write it at INFO, at a quarter of the cost."""
    if not _http.isEnabledFor(logging.INFO):
        return
    line: dict[str, Any] = {
        "time": datetime.now(UTC),
        "level": "INFO",
        "process": _process,
        "logger": "http",
        # A path may hold bytes that are no UTF-8; they come as lone surrogates, which no JSON may carry.
        "message": f"{method} {path}".encode(errors="replace").decode(),
    }
    if current := trace.current():
        line["request_id"] = current.trace_id
    line["status"], line["milliseconds"] = status, round(seconds * 1000, 2)
    if operation:
        line["operation"] = operation
    turn.at_end(flush)
    _lines.append(orjson.dumps(line, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def flush() -> None:
    """Writes the lines of this turn: one at a time, each would cost more to write than to make."""
    text = b"".join(_lines).decode()
    _lines.clear()
    with contextlib.suppress(OSError, ValueError):  # nobody reads the log any more: no reason to fail a request
        sys.stdout.write(text)
        sys.stdout.flush()
