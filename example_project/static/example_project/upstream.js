// The third side: what the server asks of WeChat. The simulator tells, and can be told to fail.

import { askWechat } from "./talk.js";

const LOGIN = "/sns/jscode2session";
const ONCE = 1;
const TWICE = 2; // where the server tries a second time by itself

/** What can be wrong with WeChat's next answer, as the simulator's route `fail` wants it. */
export const TROUBLES = {
  none: null,
  timeout: () => ({ fault: "read_timeout_after_processing", times: ONCE }),
  busy: () => ({ errcode: -1, times: TWICE }),
  used: (path) => ({ errcode: path === LOGIN ? 40163 : 40029, times: ONCE }),
  blocked: () => ({ errcode: 40226, times: ONCE }),
  limit: () => ({ errcode: 45011, times: ONCE }),
  html: () => ({ fault: "html502", times: TWICE }),
};

/** The trouble that waits for the next call. */
export const trouble = { next: "none" };

/** Let the chosen trouble strike when the server asks for `path`. */
export async function strike(path) {
  const order = TROUBLES[trouble.next];
  if (order) await askWechat("fail", { path, ...order(path) });
}

/** All is well again. */
export async function calm() {
  if (trouble.next === "none") return;
  trouble.next = "none";
  await askWechat("clear_faults");
}

/** Remember where the simulator's record stands. Returns a function: the calls since it was last asked. */
export async function watch() {
  let seen = total((await askWechat("stats")).data);
  return async () => {
    if (seen === null) return [];
    const { ok, data } = await askWechat("stats");
    const now = ok ? total(data) : seen;
    const count = now - seen;
    seen = now;
    if (count < 1) return [];
    const { data: record } = await askWechat("requests");
    return (record?.requests ?? []).slice(-count).map(asAnswer);
  };
}

const total = (stats) =>
  stats?.calls ? Object.values(stats.calls).reduce((sum, count) => sum + count, 0) : null;

/** A recorded call in the form of an answer of ours. WeChat answers 200; what counts is its errcode. */
function asAnswer({ path, method, query, body, errcode }) {
  return {
    lane: "upstream",
    method,
    path,
    query,
    body: body && typeof body === "object" ? body : undefined,
    status: errcode === null ? 0 : 200,
    ok: errcode === 0,
    data: errcode === null ? null : { errcode },
  };
}
