"""`/docs`: Swagger UI for the process's own `/openapi.json`, with files from an installed package.

FastAPI's own page loads its files from a CDN, and is blank without the internet. Here nothing comes from elsewhere, and
the page's content security policy forbids it.
"""

import hashlib
import re
from base64 import b64encode
from importlib.metadata import version
from importlib.resources import files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon-32x32.png": "image/png"}
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


def add_to(app: FastAPI) -> None:
    """Adds the page, and the three files that it loads, below it."""
    folder, edition = files("fastapi_swagger.resources"), version("fastapi-swagger")
    # relative, since a proxy may serve us below a prefix
    script, style, icon = (f"docs/{name}?{edition}" for name in FILES)
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=script,
        swagger_css_url=style,
        swagger_favicon_url=icon,
    )
    text = bytes(page.body)
    headers = {
        "Content-Security-Policy": _policy(text),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }

    async def show(_request: Request) -> Response:
        return HTMLResponse(text, headers=headers)

    async def send(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response((folder / name).read_bytes(), media_type=FILES[name], headers=IMMUTABLE)

    app.add_route("/docs", show, include_in_schema=False)
    for name in FILES:
        app.add_route(f"/docs/{name}", send, include_in_schema=False)


def _policy(page: bytes) -> str:
    """What the browser allows the page: its own inline script, by its hash, and what it loads from us."""
    inline = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{b64encode(hashlib.sha256(one).digest()).decode()}'" for one in inline)
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
