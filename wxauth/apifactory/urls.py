"""
The calls, as ``<sub domain>/<folders of the contract>``, without a trailing slash.

Include this at the root of a site, as the last of its patterns, or below a prefix: that, without a
slash at its end, is the client's base URL.
"""

from django.urls import path, re_path

from wxauth.apifactory import accounts, people, sign_in, site, uploads
from wxauth.apifactory.base import Call

app_name = "wxauth_apifactory"

CALLS: dict[str, type[Call]] = {
    "user/wxapp/login": sign_in.Login,
    "user/wxapp/login/v2": sign_in.Login,
    "user/wxapp/register/simple": sign_in.RegisterSimple,
    "user/wxapp/register/complex": sign_in.RegisterComplex,
    "user/wxapp/authorize": sign_in.Authorize,
    "user/wxapp/login/mobile": sign_in.PhoneLogin,
    "user/wxapp/login/mobile/v2": sign_in.PhoneCodeLogin,
    "user/wxapp/getMobile": sign_in.ReadNumber,
    "user/wxapp/bindMobile": people.BindPhone,
    "user/wxapp/bindMobile/v2": people.BindPhoneByCode,
    "user/wxapp/bindOpenid": sign_in.BindOpenid,
    "user/wxapp/bindOpenid/v2": sign_in.BindOpenid,
    "user/wxapp/decode/encryptedData": sign_in.Decode,
    # The same for shops that a third-party platform runs; who exchanges the code is our setting.
    "user/wxappService/login": sign_in.ServiceLogin,
    "user/wxappService/login/mobile": sign_in.PhoneLogin,
    "user/wxappService/register/simple": sign_in.RegisterSimple,
    "user/wxappService/register/complex": sign_in.RegisterComplex,
    "user/wxappService/authorize": sign_in.Authorize,
    "user/wxappService/bindMobile": people.BindPhone,
    "user/wxappService/bindMobile/v2": people.BindPhoneByCode,
    "user/wxappService/bindOpenid": sign_in.BindOpenid,
    "user/wxappService/decode/encryptedData": sign_in.Decode,
    "user/check-token": people.CheckToken,
    "user/loginout": people.LogOut,
    "user/detail": people.Detail,
    "user/wxinfo": people.WechatInfo,
    "user/modify": people.Modify,
    "user/delete": people.Delete,
    "user/check-referrer": people.CheckReferrer,
    "user/bindSeller": people.BindSeller,
    "user/m/register": accounts.Register,
    "user/m/login": accounts.LoginByPassword,
    "user/m/loginMobile": accounts.LoginByCode,
    "user/m/bind-mobile": people.BindPhoneBySms,
    "user/m/reset-pwd": accounts.ResetPassword,
    "user/modify/password": accounts.ModifyPassword,
    "verification/sms/get": accounts.SendCode,
    "verification/sms/get-by-token": accounts.SendCodeToOwn,
    "verification/sms/check": accounts.CheckCode,
    "verification/pic/get": site.Picture,
    "verification/pic/check": site.CheckPicture,
    "config/values": site.ConfigValues,
    "config/value": site.ConfigValue,
    "dfs/upload/file": uploads.Upload,
}
# Accounts of other kinds, which clients may ask for and this package leaves out.
LEFT_OUT = (
    "user/username/.+",
    "user/email/.+",
    "verification/mail/.+",
    "user/(tt|q|wxmp|wxsns|aliapp)/.+",
)

urlpatterns = [
    *(path(f"<sub>/{name}", view.as_view(), name=name) for name, view in CALLS.items()),
    path("upload2", uploads.Upload.as_view(), name="upload2"),
    *(re_path(rf"^(?P<sub>[^/]+)/{folder}$", accounts.NotHere.as_view()) for folder in LEFT_OUT),
    re_path(r"^(?P<sub>[^/]+)/(user|verification|config|dfs)/.*$", site.UnknownCall.as_view()),
    re_path(site.ELSEWHERE, site.Elsewhere.as_view()),
]
