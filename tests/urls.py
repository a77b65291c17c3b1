"""Where the host project of the tests mounts things."""

from django.contrib import admin
from django.urls import include, path

from tests.host_views import DeliveriesView, OrdersView, PlainSimplejwtView

urlpatterns = [
    path("api/", include("wxauth.api.urls")),
    path("wechat/", include("wxauth.web.urls")),
    path("mall/", include("wxauth.apifactory.urls")),
    path("push/", include("wxauth.push.urls")),
    path("admin/", admin.site.urls),
    path("orders/", OrdersView.as_view()),
    path("deliveries/", DeliveriesView.as_view()),
    path("plain-simplejwt/", PlainSimplejwtView.as_view()),
]
