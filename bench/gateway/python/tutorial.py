"""The original tutorial's way: Django REST Framework, and for every row three requests, one after the other.

The rows of the solicitações come from the fourth service too, since no gateway of this benchmark has a database. Each
`requests.get` opens a connection of its own, as in code without a `requests.Session`.
"""

import os
from typing import Any

import django
import requests
from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure(
    SECRET_KEY="bench",
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.urls import path  # noqa: E402  # Django must be set up first
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


def fetch(service: str, path: str, **parameters: Any) -> Any:
    response = requests.get(f"{os.environ[service + '_URL']}/api/{path}", params=parameters, timeout=5)
    response.raise_for_status()
    return response.json()


class Solicitacoes(APIView):
    def get(self, request: Any) -> Response:
        query = request.query_params
        asked = {"page_size": query["first"], "ordering": "-data_solicitacao", "cursor": query["after"]}
        rows = fetch("SOLICITACOES", "solicitacoes/", **asked)
        return Response(
            [
                {
                    "id": row["id"],
                    "data_solicitacao": row["data_solicitacao"],
                    "pessoa": fetch("PESSOAS", f"pessoas/{row['pessoa_id']}/"),
                    "servico": fetch("SERVICOS", f"servicos/{row['servico_id']}/"),
                    "produto": fetch("CATALOGO", f"produtos/{row['produto_id']}/"),
                }
                for row in rows
            ]
        )


urlpatterns = [path("solicitacoes/", Solicitacoes.as_view())]
app = get_wsgi_application()
