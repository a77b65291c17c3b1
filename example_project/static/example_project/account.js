// What a person can do under "Account & security": each function is one button.

import { appId, choice, leaveSeat, personName, seat } from "./seats.js";
import { act, failed, good, LOGIN_PATH, loadMe, settle, settlePhone, simple } from "./story.js";
import { askSite, askWechat } from "./talk.js";
import { date } from "./texts.js";

export const TERMS = "2026-11"; // the version of the privacy terms that this app shows

/** The number of the phone in one's hand, for the field that wants one. */
export async function ownNumber() {
  const { ok, data } = await askWechat("user", { user: personName() });
  return ok ? data.phone_number : "";
}

/** Ask for a code. The message comes back as the phone would show it, if it can be seen here. */
export const askCode = (purpose, phone) =>
  act("code.ask", null, async ({ site }) => {
    const body = { phone, purpose, app: choice.app };
    const answer = await site("POST", "/api/sms_code", { body });
    if (!answer.ok) return failed(answer);
    const message = await askSite("GET", `/sample/text_message?${new URLSearchParams({ phone })}`);
    return message.ok ? { ...good("said.sent"), message: message.data } : good("said.senton");
  });

/** The ticket of whoever has shown their WeChat just now: it is attached to the account. */
const ticket = () => (seat().state === "unknown" ? { ticket: seat().ticket } : { app: choice.app });

export const loginSms = ({ phone, sms_code }, register) =>
  act("way.sms", null, async ({ site }) => {
    const body = { phone, sms_code, ...ticket(), ...(register && { register }) };
    const answer = await site("POST", "/api/login_sms", { body });
    if (answer.status === 404) return { ...good("said.nonumber"), draft: { unknown: true } };
    return settle(answer, site);
  });

export const loginPassword = ({ phone, password }) =>
  act("way.password", null, async ({ site }) => {
    const body = { phone, password, ...ticket() };
    return settle(await site("POST", "/api/login_password", { body }), site);
  });

export const resetPassword = ({ phone, sms_code, password }) =>
  act("way.forgot", null, async ({ site }) => {
    const answer = await site("POST", "/api/reset_password", { body: { phone, sms_code, password } });
    return answer.ok ? { ...good("said.reset"), open: "password" } : failedFields(answer);
  });

export const setPassword = ({ password }) =>
  act("password.set", null, async ({ site }) => {
    const answer = await site("POST", "/api/set_password", { body: { password }, token: seat().access });
    return answer.ok ? { ...good("said.password"), close: true } : failedFields(answer);
  });

/** Of a password that is refused, what is wrong with it. */
function failedFields(answer) {
  const reasons = answer.data?.fields?.password;
  return reasons ? { bad: true, text: reasons.join(" ") } : failed(answer);
}

export const bindSms = ({ phone, sms_code }) =>
  act("phone.sms", null, async ({ site }) => {
    const body = { phone, sms_code };
    return settlePhone(await site("POST", "/api/bind_phone", { body, token: seat().access }), site);
  });

export const unbindPhone = () =>
  act("phone.unbind", null, async ({ site }) => {
    const answer = await site("POST", "/api/unbind_phone", { body: {}, token: seat().access });
    if (!answer.ok) return failed(answer);
    await loadMe(site);
    return good("said.unbound");
  });

export const linkWechat = (alias) =>
  act("wechat.link", LOGIN_PATH, async ({ wechat, site }) => {
    const login = await wechat("login", { appid: appId(alias) });
    if (!login.ok) return failed(login);
    const body = { code: login.data.code, app: alias };
    const answer = await site("POST", "/api/bind_wechat", { body, token: seat().access });
    if (!answer.ok) return failed(answer);
    await loadMe(site);
    return good("said.linked");
  });

export const unlinkWechat = (identity) =>
  act("wechat.unlink", null, async ({ site }) => {
    const answer = await site("POST", "/api/unbind_wechat", { body: { identity }, token: seat().access });
    if (!answer.ok) return failed(answer);
    if (answer.data.signed_out) leaveSeat();
    else await loadMe(site);
    return good("said.unlinked");
  });

/** Read something, and keep it to show. */
const look = (title, path, name, method = "GET", body = undefined, said = null) =>
  simple(title, method, path, {
    body: () => body,
    then: (data) => {
      (seat().seen ??= {})[name] = data;
      return said && good(said);
    },
  });

export const devices = look("entry.devices", "/api/sessions", "devices");
export const activity = look("entry.activity", "/api/audit", "activity");
export const consent = look("entry.consent", "/api/consent", "consent");
export const agree = look("consent.agree", "/api/consent", "consent", "POST", { version: TERMS }, "said.agreed");
export const withdraw = look("consent.withdraw", "/api/consent", "consent", "POST", { agreed: false }, "said.withdrawn");

const thenDevices = (title, path, body, said) => (...args) =>
  act(title, null, async ({ site }) => {
    const answer = await site("POST", path, { body: body(...args), token: seat().access });
    if (!answer.ok) return failed(answer);
    const rest = await site("GET", "/api/sessions", { token: seat().access });
    if (rest.ok) seat().seen.devices = rest.data;
    return good(said, { count: answer.data?.ended });
  });

export const endDevice = thenDevices("devices.end", "/api/sessions/end", (id) => ({ id }), "said.ended");
export const endOthers = thenDevices("devices.others", "/api/sessions/end_others", () => ({}), "said.endedothers");

export const friends = () =>
  act("entry.friends", null, async ({ site }) => {
    const { access: token } = seat();
    const code = await site("GET", "/api/invite_code", { token });
    if (!code.ok) return failed(code);
    const answer = await site("GET", "/api/referrals", { token });
    if (!answer.ok) return failed(answer);
    seat().seen.friends = { ...code.data, ...answer.data };
    return null;
  });

/** Download everything, as a file that the browser keeps. */
export const exportData = simple("entry.export", "POST", "/api/export", {
  then: (data) => {
    const file = new Blob([JSON.stringify(data, null, 2)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = "export.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    return { ...good("said.exported"), close: true };
  },
});

export const deleteAccount = simple("entry.delete", "POST", "/api/delete_account", {
  body: () => ({ confirm: true }),
  then: ({ due_at: due }) => {
    leaveSeat();
    return good("said.deleting", { date: date(due) });
  },
});

/** Show that the other account is one's own too, by its number, and see what a merge would do. */
export const planMerge = ({ phone, sms_code, password }, by) =>
  act("merge.plan", null, async ({ site }) => {
    const [path, proof] = by === "sms" ? ["/api/login_sms", { sms_code }] : ["/api/login_password", { password }];
    const other = await site("POST", path, { body: { phone, app: choice.app, ...proof } });
    if (!other.ok) return failed(other);
    const body = { other_token: other.data.access };
    const plan = await site("POST", "/api/merge/plan", { body, token: seat().access });
    if (!plan.ok) return failed(plan);
    seat().seen.merge = { ...plan.data, ...body };
    return good("said.planned");
  });

export const confirmMerge = () =>
  act("merge.confirm", null, async ({ site }) => {
    const { merge, other_token } = seat().seen.merge;
    const answer = await site("POST", "/api/merge/confirm", { body: { merge, other_token }, token: seat().access });
    if (!answer.ok) return failed(answer);
    seat().seen.merge = null;
    seat().conflict = null;
    await loadMe(site);
    return { ...good("said.merged"), close: true };
  });
