"""The page that plays the phone, and a view such as the host project has of its own."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from example_project.environment import FILE_SENDER
from wxauth.api.permissions import HasBoundPhone
from wxauth.authentication import WechatJWTAuthentication
from wxauth.conf import AppKind, conf
from wxauth.exceptions import WxauthError
from wxauth.services import read_me
from wxauth.services.numbers import read_sms_number
from wxauth.web.browser import sign_out_browser

READMES = {"en": "README.md", "zh": "README.zh-CN.md"}
MESSAGES_READ = 64 * 1024  # bytes at the end of the file


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the page. It may load what lies on this site, and talk to it and to the simulator."""
    apps = [
        {"alias": app.alias, "app_id": app.app_id}
        for app in conf.apps.values()
        if app.kind is AppKind.MINI_PROGRAM
    ]
    simulator = simulator_origin(conf.api_base_url)
    response = render(
        request,
        "example_project/page.html",
        {"apps": json.dumps(apps), "simulator": simulator},
    )
    partners = f"'self' {simulator}".strip()
    response["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {partners}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response


@never_cache
@require_safe
def browser(request: HttpRequest) -> HttpResponse:
    """Show who is signed in in this browser, and the ways there."""
    simulator = simulator_origin(conf.api_base_url)
    native = conf.apps.get("native")
    context = {
        "me": read_me(user=request.user) if request.user.is_authenticated else None,
        "simulator": simulator,
        "native": native.app_id if native else "",
        "chinese": is_chinese(request),
    }
    response = render(request, "example_project/browser.html", context)
    partners = f"'self' {simulator}".strip()
    # A form's way to WeChat's page is a redirect, which form-action covers too.
    response["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src {partners} https://*.qlogo.cn; connect-src {partners}; frame-src 'self'; "
        f"base-uri 'none'; form-action 'self' {conf.open_base_url}; frame-ancestors 'none'"
    )
    return response


@never_cache
@require_safe
def scanner(request: HttpRequest) -> HttpResponse:
    """Show the phone that has scanned the code of ``?scan=``, for those who have none at hand."""
    simulator = simulator_origin(conf.api_base_url)
    context = {
        "simulator": simulator,
        "app_id": conf.app(kind=AppKind.MINI_PROGRAM).app_id,
        "scan": request.GET.get("scan", ""),
        "chinese": is_chinese(request),
    }
    response = render(request, "example_project/scanner.html", context)
    response["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {simulator}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return response


def is_chinese(request: HttpRequest) -> bool:
    """Tell in which of its two languages a page is wanted."""
    language = request.GET.get("lang") or request.META.get("HTTP_ACCEPT_LANGUAGE", "")
    return language.startswith("zh")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the browser's session, and with it the one of ours."""
    sign_out_browser(request)
    return redirect("browser")


def simulator_origin(base_url: str) -> str:
    """
    Return the origin that may be a simulator, or "" for WeChat's own hosts.

    Whether one answers there is for the page to find out.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host == "weixin.qq.com" or host.endswith(".weixin.qq.com"):
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@require_safe
def readme(request: HttpRequest) -> HttpResponse:
    """Show the project's README as it is written, in the language of ``?lang=``."""
    path = settings.BASE_DIR / READMES.get(request.GET.get("lang", ""), READMES["en"])
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Http404("This site came without its README.") from None
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@api_view(["GET"])
@authentication_classes([WechatJWTAuthentication])
@permission_classes([HasBoundPhone])
def orders(request: Request) -> Response:
    """What a shop might show: for people who have signed in and bound a phone."""
    return Response(
        {
            "uid": str(request.user.pk),
            "orders": [
                {"number": "2048-01", "item": "Longjing tea, 100 g", "amount": "68.00"},
                {"number": "2048-02", "item": "Porcelain cup", "amount": "129.00"},
            ],
        }
    )


@never_cache
@require_safe
def text_message(request: HttpRequest) -> HttpResponse:
    """
    Show the last text message to ``?phone=``, as the phone on the page would.

    For that alone: with DEBUG, and while messages go into the demo's own file. Anywhere else
    there is nothing here, or everybody could read everybody's codes.
    """
    path = Path(settings.DEMO_MESSAGES)
    is_demo = settings.DEBUG and settings.WXAUTH_SMS_BACKEND == FILE_SENDER
    if not is_demo or settings.WXAUTH_SMS_OPTIONS.get("path") != str(path):
        raise Http404("No text messages are shown here.")
    try:
        number = read_sms_number(request.GET.get("phone", ""))
        messages = read_messages(path)
    except (WxauthError, FileNotFoundError):
        raise Http404("No message to this number.") from None
    for message in reversed(messages):
        if message["number"] == number:
            return JsonResponse(message)
    raise Http404("No message to this number.")


def read_messages(path: Path) -> list[dict[str, str]]:
    """Return the last messages of the file, the newest at the end."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - MESSAGES_READ, 0))
        lines = file.read().splitlines()
    if size > MESSAGES_READ:
        del lines[0]  # a part of one
    return [json.loads(line) for line in lines]
