"""The addresses of the example project."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path

from example_project import views

urlpatterns = [
    path("", views.page, name="page"),
    path("browser", views.browser, name="browser"),
    path("scanner", views.scanner, name="scanner"),
    path("sign_out", views.sign_out, name="sign_out"),
    path("readme", views.readme, name="readme"),
    path("sample/orders", views.orders, name="orders"),
    path("sample/text_message", views.text_message, name="text_message"),
    path("admin/", admin.site.urls),
    path("api/", include("wxauth.api.urls")),
    path("wechat/", include("wxauth.web.urls")),
    path("push/", include("wxauth.push.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),  # with DEBUG only
    # Last: at the root of the site, so that its address is the base URL of API工厂's clients.
    path("", include("wxauth.apifactory.urls")),
]
