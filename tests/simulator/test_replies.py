"""Who may ask the /_sim/ routes, and which pages may read the answers."""

import pytest
import requests

from tests.simulator.conftest import APP, CODE2SESSION

pytestmark = pytest.mark.static


def test_only_get_is_taken(sim):
    response = requests.post(f"{sim.base_url}/_sim/reset", timeout=5)

    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert response.json() == {"error": "only GET"}


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "https://127.1.2.3",
        "http://[::1]:8000",
    ],
)
@pytest.mark.parametrize("appid", [APP.app_id, "wxunknown"])
def test_page_on_this_machine_may_read_the_answer(sim, origin, appid):
    url = f"{sim.base_url}/_sim/login?user=alice&appid={appid}"
    response = requests.get(url, headers={"Origin": origin}, timeout=5)

    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1:8000.example.com",
        "http://localhost:8000 http://example.com",
        "null",
    ],
)
def test_page_from_elsewhere_may_not(sim, origin):
    url = f"{sim.base_url}/_sim/login?user=alice&appid={APP.app_id}"
    response = requests.get(url, headers={"Origin": origin}, timeout=5)

    assert "Access-Control-Allow-Origin" not in response.headers


def test_wechats_own_api_is_not_for_pages(sim):
    response = requests.get(
        sim.base_url + CODE2SESSION, headers={"Origin": "http://localhost:8000"}, timeout=5
    )

    assert "Access-Control-Allow-Origin" not in response.headers
