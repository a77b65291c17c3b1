"""Include this where you like; the names are ``wxauth_web:start`` and so on."""

from django.urls import path

from wxauth.web.views import Bind, Callback, Start

app_name = "wxauth_web"

urlpatterns = [
    path("start/<alias>/", Start.as_view(), name="start"),
    path("bind/<alias>/", Bind.as_view(), name="bind"),
    path("callback/<alias>/", Callback.as_view(), name="callback"),
]
