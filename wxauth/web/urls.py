"""Include this where you like; the names are ``wxauth_web:start`` and so on."""

from django.urls import path

from wxauth.web.embedding import EmbedPage
from wxauth.web.scanning import ScanBind, ScanCollect, ScanEvents, ScanOpen, ScanPage, ScanState
from wxauth.web.views import Bind, Callback, Start

app_name = "wxauth_web"

urlpatterns = [
    path("start/<alias>/", Start.as_view(), name="start"),
    path("embed/<alias>/", EmbedPage.as_view(), name="embed"),
    path("bind/<alias>/", Bind.as_view(), name="bind"),
    path("callback/<alias>/", Callback.as_view(), name="callback"),
    path("scan/", ScanPage.as_view(), name="scan"),
    path("scan/bind/", ScanBind.as_view(), name="scan_bind"),
    path("scan/open/<scan>/", ScanOpen.as_view(), name="scan_open"),
    path("scan/state/", ScanState.as_view(), name="scan_state"),
    path("scan/events/", ScanEvents.as_view(), name="scan_events"),
    path("scan/collect/", ScanCollect.as_view(), name="scan_collect"),
]
