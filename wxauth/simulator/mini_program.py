"""The mini program's endpoints: signing in, the session_key and what is done with it."""

import hmac
from typing import Any

from wxauth.crypto import session_signature
from wxauth.simulator.errors import ApiError
from wxauth.simulator.routing import (
    TEXT,
    Answer,
    Method,
    Request,
    Route,
    authenticated_app,
    component_app,
    text_field,
    token_app,
)
from wxauth.simulator.world import SimulatedApp, World


def code2session(world: World, request: Request) -> Answer:
    """Exchange a login code for who it is, by the app's secret."""
    app = authenticated_app(world, request.query)
    return _exchange(world, request, app)


def component_code2session(world: World, request: Request) -> Answer:
    """Exchange a login code for who it is, by the token of a third-party platform."""
    return _exchange(world, request, component_app(world, request))


def check_session(world: World, request: Request) -> Answer:
    """Say whether the signature was made with the person's current session_key."""
    _signed_owner(world, request)
    return {"errcode": 0, "errmsg": "ok"}


def reset_user_session_key(world: World, request: Request) -> Answer:
    """Replace the session_key that signed the request."""
    owner = _signed_owner(world, request)
    return {
        "errcode": 0,
        "errmsg": "ok",
        "openid": world.openid(*owner),
        "session_key": world.session_keys.renew(owner),
    }


def get_paid_unionid(world: World, request: Request) -> Answer:
    """Tell the unionid of somebody who has paid within the last 5 minutes."""
    app = token_app(world, request)
    name = _person_of(world, app, request.query.get("openid", ""))
    unionid = world.unionid(name, app.app_id)
    if unionid is None:
        raise ApiError(89002)
    _count_person(world, request, name, app.app_id)
    query = request.query
    for payment in world.recent_payments():
        is_named = payment.transaction_id == query.get("transaction_id") or (
            payment.mch_id == query.get("mch_id")
            and payment.out_trade_no == query.get("out_trade_no")
        )
        if is_named and payment.owner == (name, app.app_id):
            return {"errcode": 0, "errmsg": "ok", "unionid": unionid}
    raise ApiError(89300)


def get_user_phone_number(world: World, request: Request) -> Answer:
    """Exchange a phone code for the number; with ``openid`` only if it is that person's code."""
    app = token_app(world, request)
    fields = request.json()
    text, openid = text_field(fields, "code"), text_field(fields, "openid")
    code = world.codes.find_phone(text, app_id=app.app_id, now=world.now())
    # WeChat's errcode for this is not documented; nor whether it spends the code: here it does not.
    if openid and openid != world.openid(code.name, app.app_id):
        raise ApiError(40003)
    _count_person(world, request, code.name, app.app_id)
    code.used = True
    return {"errcode": 0, "errmsg": "ok", "phone_info": code.phone_info}


def get_user_encrypt_key(world: World, request: Request) -> Answer:
    """List the person's last three encrypt keys."""
    owner = _signed_owner(world, request)
    now = world.now()
    keys = [
        {
            "encrypt_key": key.encrypt_key,
            "version": key.version,
            "expire_in": key.expires_in(now),
            "iv": key.iv,
            "create_time": key.created_at,
        }
        for key in world.encrypt_keys.recent(owner, now=now)
    ]
    return {"errcode": 0, "errmsg": "ok", "key_info_list": keys}


def check_encrypted_msg(world: World, request: Request) -> Answer:
    """Say whether phone data with this hash was made in the last three days."""
    app = token_app(world, request)
    digest = text_field(request.json(), "encrypted_msg_hash")
    if not digest:
        raise ApiError(40097)
    made_at = world.made_data.made_at(app.app_id, digest, now=world.now())
    # "vaild" is how WeChat spells it.
    return {
        "errcode": 0,
        "errmsg": "ok",
        "vaild": made_at is not None,
        "create_time": made_at or 0,
    }


def _exchange(world: World, request: Request, app: SimulatedApp) -> Answer:
    if request.query.get("grant_type") != "authorization_code":
        raise ApiError(40002)
    text = request.query.get("js_code", "")
    if not text:
        raise ApiError(41008)
    code = world.codes.find_login(text, app_id=app.app_id, now=world.now())
    if world.person(code.name).blocked:
        code.used = True
        raise ApiError(40226)
    world.counters.count(request.path, app.app_id, now=world.now())
    _count_person(world, request, code.name, app.app_id)
    code.used = True
    # The key of the moment when the code was issued: a later wx.login may have replaced it.
    answer: dict[str, Any] = {
        "session_key": code.session_key,
        "openid": world.openid(code.name, app.app_id),
    }
    unionid = world.unionid(code.name, app.app_id)
    return answer if unionid is None else {**answer, "unionid": unionid}


def _count_person(world: World, request: Request, name: str, app_id: str) -> None:
    world.counters.count_person(request.path, app_id, name, now=world.now())


def _person_of(world: World, app: SimulatedApp, openid: str) -> str:
    if not openid:
        raise ApiError(41009)
    name = world.find_name(app.app_id, openid)
    if name is None:
        raise ApiError(40003)
    return name


def _signed_owner(world: World, request: Request) -> tuple[str, str]:
    """Return the person and app whose current session_key has signed an empty message."""
    app = token_app(world, request)
    owner = (_person_of(world, app, request.query.get("openid", "")), app.app_id)
    if request.query.get("sig_method") != "hmac_sha256":
        raise ApiError(87008)
    session_key = world.session_keys.find(owner)
    if session_key is None:
        raise ApiError(87007)
    signature = request.query.get("signature", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(session_signature(session_key).encode(), signature):
        raise ApiError(87009)
    _count_person(world, request, *owner)
    return owner


ROUTES = {
    "/sns/jscode2session": Route(code2session, content_type=TEXT),
    "/sns/component/jscode2session": Route(component_code2session, content_type=TEXT),
    "/wxa/checksession": Route(check_session),
    "/wxa/resetusersessionkey": Route(reset_user_session_key),
    "/wxa/getpaidunionid": Route(get_paid_unionid),
    "/wxa/business/getuserphonenumber": Route(get_user_phone_number, Method.POST),
    # One page says GET, another POST with the same query.
    "/wxa/business/getuserencryptkey": Route(get_user_encrypt_key, Method.GET_OR_POST),
    "/wxa/business/checkencryptedmsg": Route(check_encrypted_msg, Method.POST),
}
