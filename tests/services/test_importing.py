"""People of another backend, from CSV, with their uids."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from tests.concurrency.deployment import deployment
from tests.example_project.processes import ROOT, clean_environment
from wxauth import services
from wxauth.conf import WechatApp
from wxauth.models import (
    AccountNumber,
    PhoneNumber,
    Referral,
    WechatIdentity,
    WechatProfile,
    WechatUnion,
)
from wxauth.services.uids import has_integer_key
from wxauth.simulator import WechatSimulator

pytestmark = pytest.mark.django_db

User = get_user_model()
COLUMNS = ["openid", "unionid", "uid", "phone", "referrer", "nickname", "registered_at"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes people into a file, and gives its path."""

    def write(*people: dict[str, Any], columns: Iterable[str] = COLUMNS) -> str:
        path = tmp_path / "people.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(columns), restval="")
            writer.writeheader()
            writer.writerows(people)
        return str(path)

    return write


def person(uid: Any, **more: Any) -> dict[str, Any]:
    return {"openid": f"oPerson{uid}", "uid": uid, **more}


def user_of(uid: int) -> Any:
    user = User.objects.get(pk=uid) if has_integer_key() else AccountNumber.objects.find_user(uid)
    assert user is not None
    return user


def run(path: str, capsys: Any, **options: Any) -> tuple[str, str]:
    call_command("wxauth_import", path, **options)
    told = capsys.readouterr()
    return told.out, told.err


def test_people_come_with_all_they_have(write: Any, app: WechatApp, capsys: Any) -> None:
    path = write(
        person(7001, unionid="uSeven", phone="13800138000", nickname="小明 🐟", referrer="0"),
        person(7002, phone="+49 30 1234567", referrer=7001, registered_at="2024-05-01 09:30:00"),
        person(7003, phone="undefined", referrer="null", nickname="a\x07b"),
    )
    out, _ = run(path, capsys)
    assert out == "3 people imported, 0 were there already, 1 referrals, 0 refusals.\n"
    first, second = user_of(7001), user_of(7002)
    assert not first.has_usable_password()
    assert "oPerson" not in str(getattr(first, User.USERNAME_FIELD))
    assert WechatIdentity.objects.get(user=first).openid == "oPerson7001"
    assert WechatUnion.objects.get().user == first
    assert WechatProfile.objects.get(user=first).nickname == "小明 🐟"
    assert PhoneNumber.objects.get(user=first).number == "+8613800138000"
    assert PhoneNumber.objects.get(user=second).number == "+49301234567"
    assert Referral.objects.get().referee == second
    assert WechatIdentity.objects.get(user=second).created_at.year == 2024
    assert WechatProfile.objects.get(user=user_of(7003)).nickname == "ab"
    assert services.uid_of(user=first) == 7001
    assert services.find_referrer("7001") == first


def test_imported_person_signs_in_as_who_they_are(
    write: Any, wechat_simulator: WechatSimulator, app: WechatApp, capsys: Any
) -> None:
    openid = wechat_simulator.openid("alice", app.app_id)
    run(write({"openid": openid, "uid": 7001}), capsys)
    body = {"code": wechat_simulator.login("alice", app.app_id)}
    form = "application/x-www-form-urlencoded"
    answer = Client().post("/mall/tz/user/wxapp/login", urlencode(body), form).json()
    assert (answer["code"], answer["data"]["uid"]) == (0, 7001)


def test_new_people_get_uids_after_the_imported_ones(write: Any, capsys: Any) -> None:
    run(write(person(7001)), capsys)
    newcomer = User.objects.create(**{User.USERNAME_FIELD: "newcomer"})
    assert services.uid_of(user=newcomer) > 7001


def test_second_run_changes_nothing(write: Any, capsys: Any) -> None:
    path = write(person(7001), person(7002, referrer=7001, phone="13800138000"))
    run(path, capsys)
    out, _ = run(path, capsys)
    assert out == "0 people imported, 2 were there already, 0 referrals, 0 refusals.\n"
    assert (User.objects.count(), Referral.objects.count()) == (2, 1)


def test_dry_run_writes_nothing_and_says_the_same(write: Any, capsys: Any) -> None:
    path = write(person(7001), person(7001, openid="oTwin"), person(7003, referrer=9))
    dry = run(path, capsys, dry_run=True)
    assert not User.objects.exists()
    assert not WechatIdentity.objects.exists()
    real = run(path, capsys)
    assert dry == (f"Dry run: {real[0]}", real[1])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (person(7001, openid="oOther"), "uid_taken"),
        (person(7009, openid="oPerson7001"), "openid_taken"),
        (person(7009, unionid="uSeven"), "unionid_taken"),
        (person(7009, phone="138 0013 8000"), "phone_taken"),
        (person(7009, phone="12"), "phone_invalid"),
        (person(7009, openid=""), "openid_invalid"),
        (person(7009, openid="undefined"), "openid_invalid"),
        (person(7009, openid="o 1"), "openid_invalid"),
        (person(7009, openid="o" * 129), "openid_invalid"),
        (person(7009, unionid="u 1"), "unionid_invalid"),
        (person("seven", openid="oX"), "uid_invalid"),
        (person("0", openid="oX"), "uid_invalid"),
        (person("-1", openid="oX"), "uid_invalid"),
        (person("9" * 19, openid="oX"), "uid_invalid"),
        (person(7009, registered_at="yesterday"), "registered_at_invalid"),
        (person(7009, registered_at="2024-13-01"), "registered_at_invalid"),
        (person(7002, openid="oPerson7002"), "openid_twice"),
        (person(7002, openid="oX"), "uid_twice"),
        (person(7009, phone="13800138002"), "phone_twice"),
    ],
)
def test_row_is_refused_and_the_others_are_not(
    write: Any, tmp_path: Path, capsys: Any, row: dict[str, Any], reason: str
) -> None:
    run(write(person(7001, unionid="uSeven", phone="13800138000")), capsys)
    path = write(person(7002, phone="13800138002"), row, person(7003))
    report = tmp_path / "refused.csv"
    out, _ = run(path, capsys, report=report)
    assert out == "2 people imported, 0 were there already, 0 referrals, 1 refusals.\n"
    with report.open(encoding="utf-8") as file:
        told = list(csv.DictReader(file))
    assert [(each["line"], each["reason"]) for each in told] == [("3", reason)]
    assert told[0]["sentence"].endswith(".")
    assert User.objects.count() == 3


def test_referrers_may_come_later_and_circles_are_cut(write: Any, capsys: Any) -> None:
    path = write(
        person(7001, referrer=7003),
        person(7002, referrer=7001),
        person(7003, referrer=7002),
        person(7004, referrer=7004),
        person(7005, referrer=9999999),
        person(7006, referrer="poster"),
        person(7007, referrer=7008),
        person(7008),
    )
    out, err = run(path, capsys, batch=2)
    assert out == "8 people imported, 0 were there already, 3 referrals, 4 refusals.\n"
    pairs = Referral.objects.all()
    uids = {
        (services.uid_of(user=each.referee), services.uid_of(user=each.referrer)) for each in pairs
    }
    assert uids == {(7002, 7001), (7003, 7002), (7007, 7008)}
    assert "uid 7001: The referrer was invited by this person, or theirs." in err
    assert "uid 7004: Nobody invites themselves." in err


def test_referrer_who_is_there_is_kept(write: Any, capsys: Any) -> None:
    run(write(person(7001), person(7002), person(7003, referrer=7001)), capsys)
    run(write(person(7003, referrer=7002)), capsys)
    assert Referral.objects.get().referrer == user_of(7001)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openid\noA\n", "the columns uid are missing"),
        ("openid,uid,colour\noA,1,red\n", "there is no column 'colour'"),
        ("openid,uid,uid\noA,1,1\n", "a column stands twice"),
        ("", "the columns openid, uid are missing"),
        (b"openid,uid\n\xff\xfe,1\n", "not in UTF-8"),
    ],
)
def test_file_that_is_another_one_is_refused(tmp_path: Path, text: Any, says: str) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommandError, match=says):
        call_command("wxauth_import", str(path))
    assert not User.objects.exists()


def test_line_with_too_few_cells_is_refused(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "people.csv"
    path.write_text("openid,uid\noA,7001\noB\noC,7003,more\n")
    out, err = run(str(path), capsys)
    assert "1 people imported" in out
    assert "line 3" in err
    assert "line 4" in err


def test_what_cannot_be_is_said(tmp_path: Path, write: Any, settings: Any) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("wxauth_import", str(tmp_path / "nothing.csv"))
    with pytest.raises(CommandError, match="no such app"):
        call_command("wxauth_import", write(person(1)), app="nobody")
    with pytest.raises(CommandError, match="--batch"):
        call_command("wxauth_import", write(person(1)), batch=0)
    settings.WXAUTH_CREATE_USER = f"{__name__}.person"
    with pytest.raises(CommandError, match="WXAUTH_CREATE_USER"):
        call_command("wxauth_import", write(person(1)))


def test_statements_do_not_grow_with_the_rows(
    write: Any, capsys: Any, django_assert_max_num_queries: Any
) -> None:
    path = write(*(person(7000 + n, phone=f"13800138{n:03}", referrer=7000) for n in range(200)))
    with django_assert_max_num_queries(40):
        run(path, capsys)
    assert User.objects.count() == 200


@pytest.mark.crowd
@pytest.mark.django_db(transaction=True)
@pytest.mark.xdist_group("apifm-wxapi")
@pytest.mark.standard_user
def test_killed_import_goes_on_where_it_was(
    write: Any, wechat_simulator: WechatSimulator, capsys: Any
) -> None:
    path = write(*(person(n, phone=f"138{n:08}", referrer=n // 2 or "") for n in range(1, 6001)))
    environment = clean_environment(**deployment(wechat_simulator))
    command = [sys.executable, "manage.py", "wxauth_import", path, "--batch", "200"]
    processes = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(2)  # two at once: nobody comes twice
    ]
    end = time.monotonic() + 60
    while not (done := WechatIdentity.objects.count()) >= 400 and time.monotonic() < end:
        time.sleep(0.02)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert 400 <= done < 6000
    done = WechatIdentity.objects.count()
    assert done % 200 == 0  # whole batches
    out, _ = run(path, capsys)
    assert f"{done} were there already" in out
    assert User.objects.count() == WechatIdentity.objects.count() == 6000
    assert Referral.objects.count() == 5999
