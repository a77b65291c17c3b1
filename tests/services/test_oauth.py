"""People who authorise an app: whose user they are, and who is nobody."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from tests.web.conftest import apps, wechat  # noqa: F401  # fixtures
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.exceptions import UnknownApp, UserInactive, WechatSnapshotUser
from wxauth.models import LoginSession, WechatIdentity, WechatProfile, WechatUnion
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()


@pytest.fixture
def prove(
    wechat: WechatSimulator,  # noqa: F811
    apps: dict[str, WechatApp],  # noqa: F811
) -> Callable[..., services.OAuthProof]:
    def prove(alias: str = "site", name: str = "alice", **how: Any) -> services.OAuthProof:
        code = wechat.oauth_code(name, apps[alias].app_id, **how)
        return services.confirm_oauth_code(oauth_code=code, app=alias)

    return prove


@pytest.mark.parametrize("name", ["微信用户", " 微信用户\x07"])
def test_name_of_everybody_is_no_name(prove: Any, wechat: Any, name: str) -> None:  # noqa: F811
    wechat.user("alice").nickname = name
    result = services.sign_in_by_oauth(proof=prove())
    profile = WechatProfile.objects.get(user=result.user)
    assert (profile.nickname, profile.avatar_url) == ("", "")


def test_name_that_the_person_has_chosen_here_stays(prove: Any, wechat: Any) -> None:  # noqa: F811
    user = services.sign_in_by_oauth(proof=prove()).user
    services.change_profile(user=user, changes={"nickname": "Mine"})
    wechat.user("alice").nickname = "Theirs"
    services.sign_in_by_oauth(proof=prove())
    assert WechatProfile.objects.get().nickname == "Mine"


def test_silent_person_who_consents_later_gets_their_name(prove: Any) -> None:
    services.sign_in_by_oauth(proof=prove("account", scope="snsapi_base"))
    assert WechatProfile.objects.get().nickname == ""
    services.sign_in_by_oauth(proof=prove("account"))
    profile = WechatProfile.objects.get()
    assert (profile.nickname, bool(profile.avatar_url)) == ("alice", True)


@pytest.mark.parametrize("alias", ["default", "nobody"])
def test_app_that_nobody_authorises_is_not_asked(
    wechat: Any,  # noqa: F811
    alias: str,
) -> None:
    with pytest.raises(UnknownApp):
        services.confirm_oauth_code(oauth_code="code", app=alias)
    assert wechat.requests == []


def test_snapshot_visitor_leaves_nothing(prove: Any) -> None:
    with pytest.raises(WechatSnapshotUser):
        prove("account", is_snapshot=True)
    assert not User.objects.exists()
    assert not WechatIdentity.objects.exists()


def test_inactive_user_gets_no_session(prove: Any) -> None:
    services.sign_in_by_oauth(proof=prove())
    User.objects.update(is_active=False)
    with pytest.raises(UserInactive):
        services.sign_in_by_oauth(proof=prove())
    assert LoginSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_first_sign_ins_through_three_apps_at_once_are_one_user(prove: Any) -> None:
    proofs = [prove(alias) for alias in ("account", "site", "native") * 4]
    barrier = threading.Barrier(len(proofs))

    def sign_in(proof: services.OAuthProof) -> Any:
        barrier.wait(20)
        try:
            return services.sign_in_by_oauth(proof=proof).user.pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(proofs)) as pool:
        users = set(pool.map(sign_in, proofs))
    assert len(users) == User.objects.count() == WechatUnion.objects.count() == 1
    assert WechatIdentity.objects.count() == 3
    assert LoginSession.objects.count() == len(proofs)
