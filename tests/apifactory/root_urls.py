"""A site with the drop-in at its root."""

from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("page/one/", lambda request: HttpResponse("one")),
    path("", include("wxauth.apifactory.urls")),
]
