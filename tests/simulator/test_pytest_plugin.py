"""The fixture ``wechat_simulator``, used here as any project uses it, and as a stranger's."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from wxauth.conf import conf

pytestmark = pytest.mark.static

ROOT = Path(__file__).resolve().parents[2]


def test_settings_lead_to_the_simulator(wechat_simulator):
    assert conf.api_base_url == conf.open_base_url == wechat_simulator.base_url
    assert requests.get(f"{conf.api_base_url}/cgi-bin/token", timeout=5).json()["errcode"] == 41002


def test_apps_are_those_of_the_settings(wechat_simulator):
    assert [
        (app.app_id, app.app_secret, app.kind, app.union_scope) for app in conf.apps.values()
    ] == [(app.app_id, app.app_secret, app.kind, app.union_scope) for app in wechat_simulator.apps]


@pytest.mark.parametrize("run", [1, 2])
def test_each_test_begins_with_a_fresh_world(wechat_simulator, run):
    app_id = conf.app().app_id
    assert wechat_simulator.user("alice").nickname is None
    assert wechat_simulator.requests == []
    wechat_simulator.user("alice").nickname = "Alice"
    requests.get(f"{wechat_simulator.base_url}/cgi-bin/token?appid={app_id}", timeout=5)


def test_apps_of_another_test_are_gone(wechat_simulator, settings):
    settings.WXAUTH_APPS = {"only": {"app_id": "wxonly", "app_secret": "made-up"}}
    wechat_simulator.use_apps([])

    assert wechat_simulator.apps == []


STRANGER = """
SECRET_KEY = "a long text that is only good for tests"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "wxauth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
AUTHENTICATION_BACKENDS = ["wxauth.backends.WechatBackend"]
ROOT_URLCONF = "stranger_urls"
USE_TZ = True
WXAUTH_APP_ID = "wxmadeup"
WXAUTH_APP_SECRET = "made-up"

"""
URLS = """
from django.urls import include, path

urlpatterns = [path("api/", include("wxauth.api.urls"))]
"""


def test_example_of_the_documents_works_in_a_project_of_its_own(tmp_path):
    text = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    example = text.partition("```python\n# tests/test_wechat.py\n")[2].partition("```")[0]
    assert "wechat_simulator" in example
    (tmp_path / "stranger.py").write_text(STRANGER)
    (tmp_path / "stranger_urls.py").write_text(URLS)
    (tmp_path / "test_wechat.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    options = ["--ds", "stranger", "-o", "pythonpath=.", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, *options, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
