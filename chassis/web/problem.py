"""Writes a refusal as `application/problem+json` (RFC 9457)."""

import re
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from chassis.errors import TITLES, Broken, Refusal
from chassis.request import context

LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def broken() -> Broken:
    """The refusal for a fault of ours, which shows no details."""
    return Broken("erro interno; informe o trace_id ao suporte")


def problem(request: Request, refusal: Refusal) -> Response:
    """The response that describes `refusal` as RFC 9457 says."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[refusal.status],
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": _uri(request.scope),
        "code": refusal.code,
    }
    if refusal.errors:
        document["errors"] = [error.as_dict() for error in refusal.errors]
    if refusal.status >= 500 and refusal.service:
        document["service"] = refusal.service
    if refusal.status >= 500 and (trace := context.current().trace):
        document["trace_id"] = trace.trace_id
    return Response(
        orjson.dumps(document),
        status_code=refusal.status,
        headers=refusal.headers,
        media_type="application/problem+json",
    )


def _uri(scope: Scope) -> str:
    """The path as it came, as a URI reference (RFC 3986): characters that it may not contain are percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    path = quote(LONE_PERCENT.sub(b"%25", raw), safe="/%:@!$&'()*+,;=")
    return "/." + path if path.startswith("//") else path  # otherwise it would name another host
