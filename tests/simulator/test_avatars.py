"""The pictures of people: really served, different, and gone when they change."""

from io import BytesIO
from typing import Any

import pytest
import requests
from PIL import Image

from tests.simulator.conftest import Server
from tests.simulator.test_oauth import ACCOUNT, _apps, granted, read  # noqa: F401
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.static


def address_of(sim: WechatSimulator, server: Server, user: str = "alice") -> str:
    code = sim.oauth_code(user, ACCOUNT.app_id)
    query = {"appid": ACCOUNT.app_id, "secret": ACCOUNT.app_secret, "code": code}
    grant = server.get("/sns/oauth2/access_token", **query, grant_type="authorization_code")
    return read(server, grant)["headimgurl"]


def picture(address: str) -> Any:
    answer = requests.get(address, timeout=5)
    assert answer.headers["Content-Type"] == "image/png"
    return Image.open(BytesIO(answer.content)).convert("RGB")


def status_of(address: str) -> int:
    return requests.get(address, timeout=5).status_code


def test_address_is_of_the_simulator_and_shows_a_picture(
    sim: WechatSimulator, server: Server
) -> None:
    address = address_of(sim, server)
    assert address.startswith(f"{sim.base_url}/mmopen/vi_32/")
    assert picture(address).size == (132, 132)
    assert address == address_of(sim, server)


def test_address_is_the_one_that_the_caller_knows(sim: WechatSimulator, server: Server) -> None:
    grant = granted(sim, server, ACCOUNT)
    query = {"access_token": grant["access_token"], "openid": grant["openid"]}

    def told(host: str) -> str:
        headers = {"Host": host}
        url = f"{sim.base_url}/sns/userinfo"
        answer = requests.get(url, params=query, headers=headers, timeout=5)
        return answer.json()["headimgurl"]

    assert told("wechat.test:8001").startswith("http://wechat.test:8001/mmopen/vi_32/")
    assert told("[::1]:8001").startswith("http://[::1]:8001/mmopen/vi_32/")
    for rubbish in ("a b", "evil/x", "me@host", "<x>"):
        assert told(rubbish).startswith(f"{sim.base_url}/mmopen/vi_32/")


@pytest.mark.parametrize(("size", "pixels"), [(0, 640), (46, 46), (64, 64), (96, 96), (132, 132)])
def test_size_stands_at_the_end_of_the_address(
    sim: WechatSimulator, server: Server, size: int, pixels: int
) -> None:
    address = address_of(sim, server).removesuffix("132") + str(size)
    assert picture(address).size == (pixels, pixels)


def test_people_look_different(sim: WechatSimulator, server: Server) -> None:
    names = ("alice", "bob", "carol", "dave")
    pictures = {picture(address_of(sim, server, name)).tobytes() for name in names}
    assert len(pictures) == len(names)


def test_old_address_dies_with_a_change(sim: WechatSimulator, server: Server) -> None:
    old = address_of(sim, server)
    sim.change_avatar("alice")
    new = address_of(sim, server)
    assert old != new
    assert (status_of(old), status_of(new)) == (404, 200)


@pytest.mark.parametrize("end", ["", "/", "/1", "/0132", "/132/"])
def test_other_address_is_nowhere(sim: WechatSimulator, server: Server, end: str) -> None:
    address = address_of(sim, server).removesuffix("/132") + end
    assert status_of(address) == 404
    assert status_of(f"{sim.base_url}/mmopen/vi_32/{'0' * 64}/132") == 404


def test_picture_that_was_set_is_told(sim: WechatSimulator, server: Server) -> None:
    sim.user("alice").avatar_url = "https://a.example/x.png"
    assert address_of(sim, server) == "https://a.example/x.png"
    sim.user("alice").avatar_url = ""  # as of somebody who has none
    assert address_of(sim, server) == ""
