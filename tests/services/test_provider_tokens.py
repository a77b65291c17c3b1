"""WeChat's tokens of people: not kept unless asked for, encrypted, renewed, and gone in time."""

import json
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from tests.services.test_oauth import prove  # noqa: F401  a fixture
from tests.test_images import picture
from tests.web.conftest import apps, wechat  # noqa: F401  fixtures
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.exceptions import UnknownApp, WechatReauthorize, WechatScopeMissing, WechatUnavailable
from wxauth.models import ProviderToken, WechatIdentity, WechatProfile
from wxauth.services import provider_tokens
from wxauth.services.exporting import export
from wxauth.services.wechat_events import handle_event
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

EXCHANGE, REFRESH = "/sns/oauth2/access_token", "/sns/oauth2/refresh_token"
USER_INFO = "/sns/userinfo"
SignInBy = Callable[..., services.SignIn]


@pytest.fixture
def sign_in(prove: Any, settings: Any) -> SignInBy:  # noqa: F811
    settings.WXAUTH_KEEP_PROVIDER_TOKENS = True
    return lambda alias="site", **how: services.sign_in_by_oauth(proof=prove(alias, **how))


@pytest.fixture
def identity(sign_in: SignInBy) -> WechatIdentity:
    found = sign_in().identity
    assert found is not None
    return found


def texts() -> Any:
    return ProviderToken.objects.get().open()


# Kept, or not


def test_nothing_is_kept_unless_a_setting_asks(prove: Any) -> None:  # noqa: F811
    identity = services.sign_in_by_oauth(proof=prove()).identity
    assert not ProviderToken.objects.exists()
    with pytest.raises(WechatReauthorize):
        services.provider_access(identity=identity)


@pytest.mark.parametrize(
    ("alias", "days", "scope"),
    [
        ("site", 30, "snsapi_login"),
        ("account", 30, "snsapi_userinfo"),
        ("native", 180, "snsapi_userinfo"),
    ],
)
def test_grant_is_kept_for_as_long_as_wechat_keeps_it(
    sign_in: SignInBy, alias: str, days: int, scope: str
) -> None:
    sign_in(alias)
    row = ProviderToken.objects.get()
    assert row.scope == scope
    assert abs(row.ends_at - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)
    assert abs(row.access_ends_at - timezone.now() - timedelta(hours=2)) < timedelta(minutes=1)


def test_kept_grant_is_encrypted_and_tells_nobody(identity: WechatIdentity) -> None:
    row = ProviderToken.objects.get()
    kept = texts()
    for token in (kept.access_token, kept.refresh_token):
        assert token.encode() not in bytes(row.sealed)
        for shown in (repr(row), str(row), repr(kept), repr(vars(row))):
            assert token not in shown
    access = services.provider_access(identity=identity)
    assert access.access_token == kept.access_token
    assert kept.access_token not in repr(access)


def test_grant_copied_to_another_row_does_not_open(
    sign_in: SignInBy, identity: WechatIdentity
) -> None:
    sign_in(name="bob")
    alice, bob = ProviderToken.objects.order_by("pk")
    bob.sealed = alice.sealed
    assert bob.open() is None
    assert alice.open() is not None


def test_rotated_key_still_opens_and_lost_key_asks_for_a_new_grant(
    identity: WechatIdentity, settings: Any
) -> None:
    settings.WXAUTH_ENCRYPTION_KEYS = ["new" * 12, settings.SECRET_KEY]
    assert services.provider_access(identity=identity)
    settings.WXAUTH_ENCRYPTION_KEYS = ["new" * 12]
    with pytest.raises(WechatReauthorize):
        services.provider_access(identity=identity)
    assert not ProviderToken.objects.exists()


def test_newer_grant_takes_the_place_of_the_older_one(
    sign_in: SignInBy, identity: WechatIdentity
) -> None:
    older = texts()
    sign_in()
    assert texts() != older
    assert ProviderToken.objects.count() == 1


def test_linking_keeps_the_grant_too(prove: Any, sign_in: SignInBy) -> None:  # noqa: F811
    result = sign_in("native")
    services.bind_oauth(session=result.session, proof=prove("account"))
    assert ProviderToken.objects.count() == 2


def test_answer_without_a_refresh_token_is_not_kept(
    prove: Any,  # noqa: F811
    settings: Any,
) -> None:
    settings.WXAUTH_KEEP_PROVIDER_TOKENS = True
    proof = prove()
    services.sign_in_by_oauth(proof=replace(proof, grant=replace(proof.grant, refresh_token="")))
    assert not ProviderToken.objects.exists()


# Renewed


def test_access_that_is_good_is_not_renewed(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    django_assert_num_queries: Any,
) -> None:
    with django_assert_num_queries(1):
        services.provider_access(identity=identity)
    assert wechat.calls(REFRESH) == []


def test_access_that_ends_is_renewed_and_kept(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    time_machine: Any,
) -> None:
    first, ends_at = texts(), ProviderToken.objects.get().ends_at
    time_machine.move_to(timezone.now() + timedelta(hours=3))
    access = services.provider_access(identity=identity)
    assert access.access_token == texts().access_token != first.access_token
    assert texts().refresh_token == first.refresh_token
    assert ProviderToken.objects.get().ends_at == ends_at  # WeChat does not prolong that
    assert services.provider_access(identity=identity) == access
    assert len(wechat.calls(REFRESH)) == 1
    assert "secret" not in wechat.calls(REFRESH)[0].query


def test_access_is_renewed_again_and_again(identity: WechatIdentity, time_machine: Any) -> None:
    for _ in range(3):
        time_machine.move_to(timezone.now() + timedelta(hours=3))
        access = services.provider_access(identity=identity).access_token
        assert access == texts().access_token
        assert ProviderToken.objects.get().access_ends_at > timezone.now()


def test_app_that_is_no_longer_configured_renews_nothing(
    identity: WechatIdentity, settings: Any
) -> None:
    settings.WXAUTH_APPS = {"account": settings.WXAUTH_APPS["account"]}
    with pytest.raises(UnknownApp):
        services.refresh_provider_token(identity=identity)


def test_access_that_ends_within_minutes_is_prolonged(
    identity: WechatIdentity, time_machine: Any
) -> None:
    first = texts()
    time_machine.move_to(timezone.now() + timedelta(hours=1, minutes=56))
    access = services.provider_access(identity=identity)
    assert access.access_token == first.access_token  # as WeChat does with one that is still good
    assert access.ends_at - timezone.now() > timedelta(minutes=119)


def test_grant_that_is_too_old_is_forgotten_and_not_asked_for(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    time_machine: Any,
) -> None:
    time_machine.move_to(timezone.now() + timedelta(days=31))
    with pytest.raises(WechatReauthorize):
        services.refresh_provider_token(identity=identity)
    assert not ProviderToken.objects.exists()
    assert wechat.calls(REFRESH) == []


def test_changed_wechat_password_ends_the_grant(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    wechat.change_password("alice")
    with pytest.raises(WechatReauthorize):
        services.refresh_provider_token(identity=identity)
    assert not ProviderToken.objects.exists()


def test_grant_that_is_void_when_the_profile_is_asked_for_is_forgotten(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    wechat.change_password("alice")
    with pytest.raises(WechatReauthorize):
        services.read_wechat_profile(identity=identity)
    assert not ProviderToken.objects.exists()


def test_wechat_in_trouble_loses_nothing(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    wechat.fail(REFRESH, errcode=-1, times=2)
    with pytest.raises(WechatUnavailable):
        services.refresh_provider_token(identity=identity)
    assert services.refresh_provider_token(identity=identity)


def test_renewal_that_meets_a_newer_grant_leaves_it(
    identity: WechatIdentity,
    sign_in: SignInBy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    renew = provider_tokens.oauth.renew
    newer = {}

    def slow(*args: Any, **kwargs: Any) -> Any:
        grant = renew(*args, **kwargs)
        sign_in()  # the person authorises anew while WeChat answers
        newer["token"] = texts()
        return grant

    monkeypatch.setattr(provider_tokens.oauth, "renew", slow)
    access = services.refresh_provider_token(identity=identity)
    assert access.access_token == newer["token"].access_token == texts().access_token
    assert texts() == newer["token"]


@pytest.mark.django_db(transaction=True)
def test_many_renewals_at_once_all_get_what_is_good(
    identity: WechatIdentity,
    time_machine: Any,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    time_machine.move_to(timezone.now() + timedelta(hours=3))

    def renew(_: int) -> str:
        try:
            return services.provider_access(identity=identity).access_token
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(renew, range(8))) == {texts().access_token}


# The profile


def test_profile_is_read_and_nothing_stored(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
) -> None:
    wechat.user("alice").nickname = "小明"
    assert services.read_wechat_profile(identity=identity).nickname == "小明"
    assert WechatProfile.objects.get().nickname == "alice"


def test_profile_is_refreshed(identity: WechatIdentity, wechat: WechatSimulator) -> None:  # noqa: F811
    services.change_profile(user=identity.user, changes={"nickname": "Mine", "gender": 2})
    person = wechat.user("alice")
    person.nickname, person.avatar_url = "小明", "https://thirdwx.qlogo.cn/new/132"
    told = services.refresh_profile(identity=identity)
    profile = WechatProfile.objects.get()
    assert (profile.nickname, profile.avatar_url) == (told.nickname, told.avatar_url)
    assert (profile.nickname, profile.gender) == ("小明", 2)


def test_uploaded_picture_goes_when_the_profile_is_refreshed(
    identity: WechatIdentity, settings: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    address = services.store_avatar(user=identity.user, content=picture())
    changes = {"avatar_url": f"https://a.example/{address}"}
    services.change_profile(user=identity.user, changes=changes)
    with django_capture_on_commit_callbacks(execute=True):
        services.refresh_profile(identity=identity)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["微信用户", ""])
def test_name_of_everybody_replaces_nothing(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    name: str,
) -> None:
    person = wechat.user("alice")
    person.nickname, person.avatar_url = name, ""
    services.refresh_profile(identity=identity)
    assert WechatProfile.objects.get().nickname == "alice"


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_displaced_access_is_renewed_once(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    errcode: int,
) -> None:
    before = len(wechat.calls(USER_INFO))
    wechat.fail(USER_INFO, errcode=errcode)
    assert services.read_wechat_profile(identity=identity).nickname == "alice"
    assert (len(wechat.calls(USER_INFO)) - before, len(wechat.calls(REFRESH))) == (2, 1)
    wechat.fail(USER_INFO, errcode=errcode, times=5)
    with pytest.raises(WechatReauthorize):
        services.read_wechat_profile(identity=identity)
    assert (len(wechat.calls(USER_INFO)) - before, len(wechat.calls(REFRESH))) == (4, 2)


def test_silent_grant_tells_no_profile(sign_in: SignInBy) -> None:
    identity = sign_in("account", scope="snsapi_base").identity
    with pytest.raises(WechatScopeMissing):
        services.read_wechat_profile(identity=identity)
    assert ProviderToken.objects.exists()


def test_no_token_is_logged(
    identity: WechatIdentity,
    wechat: WechatSimulator,  # noqa: F811
    caplog: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    kept = texts()
    wechat.fail(REFRESH, fault="reset_after_processing", times=2)
    with pytest.raises(WechatUnavailable) as caught:
        services.refresh_provider_token(identity=identity)
    services.refresh_profile(identity=identity)
    for token in (kept.access_token, kept.refresh_token, texts().access_token):
        assert token not in caplog.text
        assert token not in "".join(traceback.format_exception(caught.value))


# Gone in time


def test_unlinking_and_deletion_take_the_grant_along(
    identity: WechatIdentity, sign_in: SignInBy
) -> None:
    result = sign_in("account")
    assert ProviderToken.objects.count() == 2
    services.unbind_wechat(session=result.session, app="site")
    assert ProviderToken.objects.get().identity == result.identity
    services.delete_now(session=result.session)
    assert not ProviderToken.objects.exists()


@pytest.mark.parametrize("number", ["301", "205", "19"])
def test_consent_that_is_taken_back_ends_the_grant(
    identity: WechatIdentity,
    apps: dict[str, WechatApp],  # noqa: F811
    number: str,
) -> None:
    message = {
        "Event": "user_authorization_revoke",
        "OpenID": identity.openid,
        "AppID": identity.app_id,
        "RevokeInfo": number,
    }
    assert handle_event(app=apps["site"], message=message)
    assert not ProviderToken.objects.exists()


def purge() -> str:
    out = StringIO()
    call_command("wxauth_purge", stdout=out)
    return out.getvalue()


def test_purge_takes_what_has_ended(sign_in: SignInBy, time_machine: Any) -> None:
    sign_in("site")
    sign_in("native")
    assert "Deleted 0 provider tokens" in purge()
    time_machine.move_to(timezone.now() + timedelta(days=31))
    assert "Deleted 1 provider tokens" in purge()
    assert ProviderToken.objects.get().identity.app_id == "wxnative000000001"


def test_purge_takes_all_where_they_are_no_longer_kept(
    identity: WechatIdentity, settings: Any
) -> None:
    settings.WXAUTH_KEEP_PROVIDER_TOKENS = False
    assert "Deleted 1 provider tokens" in purge()
    assert not ProviderToken.objects.exists()


def test_export_says_that_a_grant_is_kept_and_not_which(identity: WechatIdentity) -> None:
    text = "".join(export(user=identity.user))
    (row,) = json.loads(text)["provider_tokens"]
    assert (row["identity_id"], row["scope"]) == (identity.pk, "snsapi_login")
    assert texts().refresh_token not in text
    assert set(row) == {"identity_id", "scope", "ends_at"}
