"""
The floors: what the same work costs without us, in as few lines as can do it.

``floor/…`` spends the code at WeChat, finds the person, notes the sign-in, opens a session, makes
two JWTs: the three statements, the transaction and the one call of our own sign-in. It checks
nothing, limits nothing, keeps no session_key and knows one app.
"""

import json
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import requests
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework_simplejwt.views import TokenVerifyView

from example_project.urls import urlpatterns as example_urls

FIND = """
    SELECT i.id, i.user_id, u.is_active FROM wxauth_wechatidentity i
    JOIN auth_user u ON u.id = i.user_id WHERE i.app_id = %s AND i.openid = %s"""
NOTE = "UPDATE wxauth_wechatidentity SET last_login_at = %s WHERE id = %s"
OPEN = """
    INSERT INTO wxauth_loginsession (id, user_id, identity_id, app, user_agent, ip_address,
        created_at, expires_at, revoked_at, generation, rotated_at)
    VALUES (%s, %s, %s, '', '', NULL, %s, %s, NULL, 0, %s)"""

APP = next(iter(settings.WXAUTH_APPS.values()))
session = requests.Session()
session.trust_env = False
session.verify = os.environ.get("REQUESTS_CA_BUNDLE", True)


def sign_in(get: Callable[..., requests.Response]) -> Any:
    @csrf_exempt
    def view(request: HttpRequest) -> JsonResponse:
        query = {
            "appid": APP["app_id"],
            "secret": APP["app_secret"],
            "js_code": json.loads(request.body)["code"],
            "grant_type": "authorization_code",
        }
        url = f"{settings.WXAUTH_API_BASE_URL}/sns/jscode2session"
        openid = get(url, params=query, timeout=5).json()["openid"]
        sid, now = uuid.uuid4(), timezone.now()
        key = sid if connection.features.has_native_uuid_field else sid.hex
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(FIND, [APP["app_id"], openid])
            identity_id, user_id, is_active = cursor.fetchone()
            assert is_active
            cursor.execute(NOTE, [now, identity_id])
            cursor.execute(OPEN, [key, user_id, identity_id, now, now, now])
        claims = {"sid": sid.hex, "sub": str(user_id), "exp": int(time.time()) + 1800}
        pair = [jwt.encode(claims, settings.SECRET_KEY, "HS256") for _ in ("access", "refresh")]
        return JsonResponse({"access": pair[0], "refresh": pair[1], "uid": user_id})

    return view


urlpatterns = [
    path("api/", include("wxauth.api.urls")),
    path("api/floor/pooled", sign_in(session.get)),
    path("api/floor/unpooled", sign_in(requests.get)),
    path("api/floor/verify", TokenVerifyView.as_view()),
    *example_urls,
]
