// One request: sent, timed, shown. Nothing here throws; an answer that never came has status 0.

import { language, text } from "./texts.js";

const PATIENCE = 20000; // ms; longer than the site itself waits for WeChat
const { root, simulator } = document.documentElement.dataset;

/**
 * Send a request. `lane` is "wechat" or "site"; the answer is
 * `{lane, method, path, query, body, token, status, ok, data, wait, ms}`.
 */
async function send({ lane, base, method, path, query = {}, body, token }) {
  const headers = lane === "site" ? { "Accept-Language": language() === "zh" ? "zh-Hans" : "en" } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  const search = new URLSearchParams(query).toString();
  const started = performance.now();
  const answer = { lane, method, path, query, body, token, headers, status: 0, ok: false, data: null };
  try {
    const response = await fetch(base + path + (search && `?${search}`), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit", // a mini program has no cookies
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    answer.status = response.status;
    answer.ok = response.ok;
    answer.wait = response.headers.get("Retry-After");
    const raw = await response.text();
    try {
      answer.data = raw ? JSON.parse(raw) : null;
    } catch {
      answer.data = raw.slice(0, 400); // a page of HTML from a proxy, say
      answer.ok = false;
    }
  } catch {
    answer.status = 0;
    answer.ok = false;
    answer.data = { detail: text(`noanswer.${lane}`) };
  }
  answer.ms = Math.round(performance.now() - started);
  return answer;
}

/** Ask the site's own server. */
export const askSite = (method, path, { body, token } = {}) =>
  send({ lane: "site", base: root.replace(/\/$/, ""), method, path, body, token });

/** Do on the phone what only WeChat can do: the simulator plays it. */
export const askWechat = (path, query) =>
  send({ lane: "wechat", base: simulator, method: "GET", path: `/_sim/${path}`, query });

/** Tell whether a simulator answers. */
export async function findSimulator() {
  if (!simulator) return false;
  return (await askWechat("apps")).ok;
}
