"""One address per app: the alias of the settings, or nothing for the default app."""

from django.urls import re_path

from wxauth.push.views import PushView

app_name = "wxauth_push"

urlpatterns = [
    re_path(r"^$", PushView.as_view(), name="push"),
    re_path(r"^(?P<alias>[^/]{1,64})/?$", PushView.as_view(), name="push_of"),
]
