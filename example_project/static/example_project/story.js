// What a person can do with the phone: each function is one button, and one group on the timeline.

import { appId, choice, leaveSeat, personName, seat, takeSeat } from "./seats.js";
import { askSite, askWechat } from "./talk.js";
import { begin } from "./timeline.js";
import { text } from "./texts.js";
import { calm, strike, watch } from "./upstream.js";

export const LOGIN_PATH = "/sns/jscode2session";
export const PHONE_PATH = "/wxa/business/getuserphonenumber";

/** Do one thing with a fresh group to show it in. `asks` is the path of WeChat's that it needs. */
export async function act(title, asks, steps) {
  const show = begin({ title, person: personName(), app: choice.app });
  const look = await watch();
  if (asks) await strike(asks);
  const said = await steps({
    wechat: async (path, query = {}) =>
      show(await askWechat(path, { user: personName(), appid: appId(), ...query })),
    site: async (method, path, options) => {
      const answer = show(await askSite(method, path, options));
      for (const call of await look()) show(call);
      if (answer.status === 401) leaveSeat();
      seat().stale = answer.data?.code === "fresh_sign_in_required"; // the phone shows the way on
      return answer;
    },
  });
  if (asks) await calm();
  return said;
}

export const failed = ({ data, status }) => ({ bad: true, text: data?.detail ?? data?.error ?? `HTTP ${status}` });
export const good = (key, places) => ({ text: text(key, places) });

/** wx.login, and what the server makes of its code. */
const enter = (title, path) => () =>
  act(title, LOGIN_PATH, async ({ wechat, site }) => {
    const login = await wechat("login");
    if (!login.ok) return failed(login);
    const answer = await site("POST", path, { body: { code: login.data.code, app: choice.app } });
    if (answer.status === 404 && answer.data?.ticket) return meet(answer, good("said.unknown"));
    return settle(answer, site);
  });

/** WeChat has said who it is; with the ticket they may register, or attach to an account. */
function meet({ data }, said) {
  Object.assign(seat(), { state: "unknown", ticket: data.ticket });
  seat().done.login = true;
  return said;
}

/** The same with the phone number, in one tap: wx.login, the phone button, one request. */
export const phoneLogin = () =>
  act("out.phone", LOGIN_PATH, async ({ wechat, site }) => {
    const login = await wechat("login");
    if (!login.ok) return failed(login);
    const button = await wechat("phone");
    if (!button.ok) return failed(button);
    const body = { code: login.data.code, phone_code: button.data.code, app: choice.app };
    const answer = await site("POST", "/api/phone_login", { body });
    if (answer.status === 409 && answer.data?.ticket) return meet(answer, failed(answer));
    return settle(answer, site);
  });

export const login = enter("out.login", "/api/login");
export const authorize = enter("out.authorize", "/api/authorize");

/** Take the seat that a sign-in gives, and look at the profile as an app would. */
export async function settle(answer, site) {
  if (!answer.ok) return failed(answer);
  takeSeat(answer.data);
  seat().done.login = true;
  seat().done.register = true;
  await loadMe(site);
  if (answer.data.deletion_cancelled) return good("said.kept");
  if (answer.data.linked) return good("said.found");
  return good(answer.data.registered ? "said.registered" : "said.in");
}

export async function loadMe(site) {
  const answer = await site("GET", "/api/me", { token: seat().access });
  if (answer.ok) seat().me = answer.data;
  if (answer.ok && answer.data.phone) seat().done.phone = true;
  return answer;
}

export const registerComplex = (referrer) =>
  act("unknown.complex", null, async ({ wechat, site }) => {
    await introduce();
    // No further wx.login: it would renew the session_key that the ticket stands for.
    const profile = await wechat("userinfo", { api: "getUserProfile" });
    if (!profile.ok) return failed(profile);
    return register(site, "/api/register_complex", { ...profile.data, referrer });
  });

/** Give the person a name and a picture at WeChat: by itself it calls everybody the same today. */
function introduce() {
  const name = personName();
  return askWechat("user", {
    user: name,
    nickname: text(`person.${name}`, {}, name),
    avatar_url: `https://thirdwx.qlogo.cn/made-up/${encodeURIComponent(name)}/132`,
  });
}

export const registerSimple = (referrer) =>
  act("unknown.simple", null, ({ site }) => register(site, "/api/register_simple", { referrer }));

async function register(site, path, { referrer, ...fields }) {
  const body = { ticket: seat().ticket, ...fields };
  if (referrer) body.referrer = referrer;
  const answer = await site("POST", path, { body });
  // A ticket is good for one try: back to the sign-in, which gives a new one.
  if (answer.data?.action === "login_again") leaveSeat();
  return settle(answer, site);
}

export const bindPhone = () =>
  act("in.bind", PHONE_PATH, async ({ wechat, site }) => {
    const button = await wechat("phone");
    if (!button.ok) return failed(button);
    const body = { phone_code: button.data.code };
    const answer = await site("POST", "/api/bind_phone", { body, token: seat().access });
    return settlePhone(answer, site);
  });

/** See the number that is bound now; or that it is bound to somebody else, perhaps oneself. */
export async function settlePhone(answer, site) {
  if (answer.data?.code === "phone_taken") seat().conflict = "phone";
  if (!answer.ok) return failed(answer);
  await loadMe(site);
  return good("said.bound");
}

/** A button that is one request with the token, and something to do with its answer. */
export const simple = (title, method, path, { body, then }) => (...args) =>
  act(title, null, async ({ site }) => {
    const { access: token } = seat();
    const answer = await site(method, path, { token, body: body?.(...args) });
    return answer.ok ? then(answer.data) : failed(answer);
  });

export const check = simple("in.check", "POST", "/api/check_token", {
  body: () => ({ token: seat().access }),
  then: ({ expires_in: seconds }) => good("said.check", { seconds }),
});

export const refresh = () =>
  act("in.refresh", null, async ({ site }) => {
    const answer = await site("POST", "/api/refresh_token", { body: { refresh: seat().refresh } });
    if (!answer.ok) return failed(answer);
    const { access, refresh: next } = answer.data;
    Object.assign(seat(), { access, refresh: next });
    return good("said.refresh");
  });

export const reload = simple("in.me", "GET", "/api/me", {
  then: (me) => {
    seat().me = me;
    return good("said.me");
  },
});

export const rename = simple("in.rename", "PATCH", "/api/me", {
  body: (nickname) => ({ nickname }),
  then: (me) => {
    seat().me = { ...seat().me, ...me };
    return good("said.renamed");
  },
});

export const orders = simple("in.orders", "GET", "/sample/orders", {
  then: (data) => {
    seat().orders = data.orders;
    seat().done.use = true;
    return good("said.orders", { count: data.orders.length });
  },
});

const leave = (title, body, said) =>
  simple(title, "POST", "/api/logout", {
    body: () => body,
    then: () => {
      seat().done.logout = true;
      leaveSeat();
      return good(said);
    },
  });

export const logout = leave("in.logout", {}, "said.out");
export const logoutAll = leave("in.logoutall", { all: true }, "said.outall");

export function notNow() {
  leaveSeat();
  return null;
}
