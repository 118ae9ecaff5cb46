"""The original tutorial's way: Django and Django REST Framework, a ModelViewSet over the same table."""

import os
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

URL = urlsplit(os.environ["DATABASE_URL"])
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
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": URL.hostname,
            "PORT": URL.port,
            "NAME": URL.path[1:],
            "USER": URL.username,
            "PASSWORD": URL.password,
            "CONN_MAX_AGE": None,
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import models  # noqa: E402  # Django must be set up first
from django.urls import include, path  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402


class Pessoa(models.Model):
    nome_pessoa = models.CharField(max_length=100)

    class Meta:
        app_label = "bench"
        db_table = "pessoa"


class PessoaSerializer(serializers.ModelSerializer[Any]):
    class Meta:
        model = Pessoa
        fields = ("id", "nome_pessoa")


class PessoaViewSet(viewsets.ModelViewSet[Any]):
    serializer_class = PessoaSerializer

    def get_queryset(self) -> Any:
        query = self.request.query_params
        rows = Pessoa.objects.order_by("id")
        if "id" in query:
            return rows.filter(id__in=map(int, query["id"].split(",")))[:1000]
        return rows[: int(query["page_size"])] if "page_size" in query else rows


router = routers.DefaultRouter()
router.register("pessoas", PessoaViewSet, basename="pessoa")
urlpatterns = [path("api/", include(router.urls))]
app = get_wsgi_application()
