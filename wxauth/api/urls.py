"""The routes of the native API. Each works with and without the slash at its end."""

from django.urls import re_path

from wxauth.api import (
    avatars,
    leaving,
    linking,
    merging,
    oauth,
    passwords,
    referring,
    scans,
    sessions,
    sms,
    views,
)

app_name = "wxauth"

urlpatterns = [
    re_path(r"^login/?$", views.LoginView.as_view(), name="login"),
    re_path(r"^register_simple/?$", views.RegisterSimpleView.as_view(), name="register_simple"),
    re_path(r"^register_complex/?$", views.RegisterComplexView.as_view(), name="register_complex"),
    re_path(r"^authorize/?$", views.AuthorizeView.as_view(), name="authorize"),
    re_path(r"^check_token/?$", views.CheckTokenView.as_view(), name="check_token"),
    re_path(r"^refresh_token/?$", views.RefreshTokenView.as_view(), name="refresh_token"),
    re_path(r"^logout/?$", views.LogoutView.as_view(), name="logout"),
    re_path(r"^me/?$", views.MeView.as_view(), name="me"),
    re_path(r"^bind_phone/?$", views.BindPhoneView.as_view(), name="bind_phone"),
    *avatars.urlpatterns,
    *linking.urlpatterns,
    *sessions.urlpatterns,
    *merging.urlpatterns,
    *leaving.urlpatterns,
    *referring.urlpatterns,
    *sms.urlpatterns,
    *passwords.urlpatterns,
    *oauth.urlpatterns,
    *scans.urlpatterns,
]
