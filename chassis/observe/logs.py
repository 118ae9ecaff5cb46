"""Logs are JSON, one object in each line, on standard output (12-factor). A line about a request names its trace and
span.

With `LOG_FORMAT=text` the same lines are written for people (`readable.py`).
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

import orjson

from chassis.observe.output import Output
from chassis.observe.readable import coloured, readable
from chassis.request import context

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}
"""The members of every log record. All others come from `extra`."""

LINE_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE

_http = logging.getLogger("http")
log = logging.getLogger("process")


def add_trace(line: dict[str, Any]) -> None:
    """Adds the members that name the current request's span, as OpenTelemetry calls them where logs are not its own."""
    if trace := context.current().trace:
        line["trace_id"], line["span_id"], line["trace_flags"] = trace.trace_id, trace.span_id, trace.flags


class JsonFormatter(logging.Formatter):
    """Formats `logger.info("msg", extra={...})` as one JSON line. The members of `extra` stand beside the message."""

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
        add_trace(line)
        line |= {key: value for key, value in record.__dict__.items() if key not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self.dump(line).decode().removesuffix("\n")

    def dump(self, line: dict[str, Any]) -> bytes:
        """The line with these members, and a newline."""
        try:
            return orjson.dumps(line, str, LINE_OPTIONS)
        except orjson.JSONEncodeError:  # a lone surrogate, which a line about a bad request may have to show exactly
            return f"{json.dumps(line, default=str)}\n".encode()


class TextFormatter(JsonFormatter):
    """Formats the same line for people, in colours when they are wanted."""

    def __init__(self, process: str) -> None:
        super().__init__(process)
        self._coloured = coloured()

    def dump(self, line: dict[str, Any]) -> bytes:
        return f"{readable(line, coloured=self._coloured)}\n".encode()


FORMATTERS = {"json": JsonFormatter, "text": TextFormatter}

_formatter = JsonFormatter("")


class LineHandler(logging.Handler):
    """Writes records as lines, and never waits for the reader."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            output.write(f"{self.format(record)}\n".encode())
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Logs that a record could not be formatted. By default logging writes that to standard error."""
        where = {"template": str(record.msg), "file": record.pathname, "line": record.lineno}
        log.error("log call failed", exc_info=sys.exception(), extra=where)


def configure(process: str, level: str, form: Literal["json", "text"] = "json") -> None:
    """Sends the records of all loggers of this process to standard output."""
    global _formatter
    _formatter = FORMATTERS[form](process)
    handler = LineHandler()
    handler.setFormatter(_formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The request middleware writes one line for each request itself, and whoever starts a process knows that it starts.
    for chatty in ("httpx2", "httpcore2", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def catch_all() -> None:
    """Logs what Python would otherwise write to standard error, which may be a pipe that nobody reads."""

    def on_main_thread(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
        log.critical("unhandled exception", exc_info=(kind, failure, trace))

    def on_thread(failure: threading.ExceptHookArgs) -> None:
        if failure.exc_type is not SystemExit and failure.exc_value:
            found = (failure.exc_type, failure.exc_value, failure.exc_traceback)
            name = failure.thread.name if failure.thread else "?"
            log.error("unhandled exception in thread %s", name, exc_info=found)

    def on_unraisable(failure: "sys.UnraisableHookArgs") -> None:
        found = (failure.exc_type, failure.exc_value, failure.exc_traceback) if failure.exc_value else None
        log.error("%s: %r", failure.err_msg or "exception ignored in", failure.object, exc_info=found)

    sys.excepthook = on_main_thread
    threading.excepthook = on_thread
    sys.unraisablehook = on_unraisable
    logging.captureWarnings(True)


def access(
    method: str, path: str, status: int, seconds: float, client: str, more: Mapping[str, str] | None = None
) -> None:
    """Logs one request, the address of its client, and the members in `more`. It writes the line that the logger `http`
    would write at INFO, at a quarter of its cost."""
    if not _http.isEnabledFor(logging.INFO):
        return
    line: dict[str, Any] = {
        "time": datetime.now(UTC),
        "level": "INFO",
        "process": _formatter.process,
        "logger": "http",
        # A path may have bytes that are not UTF-8. They come as lone surrogates, which JSON may not contain.
        "message": f"{method} {path}".encode(errors="replace").decode(),
    }
    add_trace(line)
    line["status"], line["milliseconds"], line["client"] = status, round(seconds * 1000, 2), client
    if more:
        line |= more
    output.write(_formatter.dump(line))


def dropped_line(lines: int) -> bytes:
    """The line that says how many lines are missing."""
    members = {"time": datetime.now(UTC), "level": "WARNING", "process": _formatter.process, "logger": "process"}
    return _formatter.dump(members | {"message": "log lines dropped", "lines": lines})


output = Output(1 if sys.__stdout__ else os.open(os.devnull, os.O_WRONLY), dropped_line)
"""Standard output, or nothing when this process was started without one."""
