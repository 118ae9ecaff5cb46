"""GraphiQL and the painel, served from what `npm run build` writes to `dist/`. They load nothing from other hosts."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIST = Path(__file__).parent / "dist"

# Monaco, GraphiQL's editor, injects style elements, so inline styles are allowed. It needs no eval, no blob and no
# other origin.
GRAPHIQL_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# The hash is that of the one style element that React Aria writes, about touches. It changes when that text does.
PAINEL_SECURITY = (
    "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Files(StaticFiles):
    """Serves the pages' files, compressed to who takes that. Those in `assets/` have a hash in their name, so they
    never change."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        compressed = f"{os.fspath(full_path)}.gz"
        exists = os.path.exists(compressed)
        if exists and _takes_gzip(scope):
            response = super().file_response(compressed, os.stat(compressed), scope, status_code)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = super().file_response(full_path, stat_result, scope, status_code)
        if exists:
            response.headers["Vary"] = "Accept-Encoding"
        response.headers.update({**HEADERS, "Content-Security-Policy": GRAPHIQL_SECURITY})
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if path.startswith("assets/"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _takes_gzip(scope: Scope) -> bool:
    codings = [one.partition(";") for one in Headers(scope=scope).get("accept-encoding", "").lower().split(",")]
    return any(name.strip() == "gzip" and weight.strip() not in ("q=0", "q=0.0") for name, _, weight in codings)


def graphiql(*, asks_for_token: bool = False) -> Response:
    """GraphiQL's page, with a field for a token if `asks_for_token`."""
    response = _page("index.html", GRAPHIQL_SECURITY, 'data-auth="jwt"' if asks_for_token else "")
    response.headers["Vary"] = "Accept"
    return response


def painel(scope_claims: Sequence[str], *, asks_for_token: bool = False) -> Response:
    """The page for people. If it `asks_for_token`, it reads what the token allows from the claims `scope_claims`."""
    told = f'data-auth="jwt" data-scope-claims="{escape(" ".join(scope_claims))}"' if asks_for_token else ""
    return _page("painel/index.html", PAINEL_SECURITY, told)


def _page(file: str, security: str, attributes: str) -> Response:
    """A page, with these attributes of its body. Without a bundle, a 503 that says what to do."""
    path = DIST / file
    if not path.exists():
        return HTMLResponse("Esta página ainda não foi construída: rode <code>make setup</code>.", status_code=503)
    headers = {**HEADERS, "Content-Security-Policy": security, "Cache-Control": "no-cache"}
    if attributes:
        plain = path.read_text(encoding="utf-8")
        return HTMLResponse(plain.replace("<body>", f"<body {attributes}>", 1), headers=headers)
    return FileResponse(path, headers=headers)


def files() -> Files:
    """The application that serves the pages' files under `/playground/`."""
    return Files(directory=DIST, check_dir=False)
