"""Who follows which official account, and ``/cgi-bin/user/info``, which tells."""

from wxauth.simulator.errors import ApiError
from wxauth.simulator.routing import Answer, Request, Route, token_app
from wxauth.simulator.world import OFFICIAL_ACCOUNT, World


def user_info(world: World, request: Request) -> Answer:
    """Tell whether the person follows; name and picture are told to nobody since 2021-12-27."""
    app = token_app(world, request)
    if app.kind != OFFICIAL_ACCOUNT:
        raise ApiError(48001)
    openid = request.query.get("openid", "")
    if not openid:
        raise ApiError(41009)
    name = world.find_name(app.app_id, openid)
    if name is None:
        raise ApiError(40003)
    since = world.following.get((name, app.app_id))
    if since is None:
        return {"subscribe": 0, "openid": openid}
    unionid = world.unionid(name, app.app_id)
    return {
        "subscribe": 1,
        "openid": openid,
        "language": request.query.get("lang", "") or world.person(name).language,
        "subscribe_time": int(since),
        **({} if unionid is None else {"unionid": unionid}),
        "remark": "",
        "groupid": 0,
        "tagid_list": [],
        "subscribe_scene": "ADD_SCENE_SEARCH",
        "qr_scene": 0,
        "qr_scene_str": "",
    }


ROUTES = {"/cgi-bin/user/info": Route(user_info)}
