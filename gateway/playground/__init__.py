"""GraphiQL, served from the bundle that `npm run build` writes to `dist/`. The page loads nothing from other hosts."""

from pathlib import Path

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIST = Path(__file__).parent / "dist"

# Monaco, GraphiQL's editor, injects style elements, so inline styles are allowed. It needs no eval, no blob and no
# other origin.
SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": SECURITY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Files(StaticFiles):
    """Serves the bundle's files. Those in `assets/` have a hash in their name, so they never change."""

    def file_response(self, *arguments: object, **more: object) -> Response:
        response = super().file_response(*arguments, **more)  # pyright: ignore[reportArgumentType]  # passed on as is
        response.headers.update(HEADERS)
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if path.startswith("assets/"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def page(*, asks_for_token: bool = False) -> Response:
    """GraphiQL's page, with a field for a token if `asks_for_token`. Without a bundle, a 503 that says what to do."""
    if not (DIST / "index.html").exists():
        return HTMLResponse("GraphiQL ainda não foi construído: rode <code>make setup</code>.", status_code=503)
    headers = {**HEADERS, "Cache-Control": "no-cache", "Vary": "Accept"}
    if asks_for_token:
        plain = (DIST / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(plain.replace("<body>", '<body data-auth="jwt">', 1), headers=headers)
    return FileResponse(DIST / "index.html", headers=headers)


def files() -> Files:
    """The application that serves the page's files under `/playground/`."""
    return Files(directory=DIST, check_dir=False)
