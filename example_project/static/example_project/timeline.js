// What went over the wire: groups, newest first, of requests and answers in their order.

import { byId, h, json, shorten } from "./dom.js";
import { text } from "./texts.js";

const KEPT = 40; // groups
const groups = [];
const chosen = new Map(); // answers that somebody opened or closed by hand

/** Begin a group: one thing that the person did. Returns the function that adds an answer. */
export function begin({ title, person, app }) {
  const group = { title, person, app, time: new Date(), answers: [] };
  const [before] = groups;
  groups.unshift(group);
  for (const old of groups.splice(KEPT)) old.element.remove();
  if (before) {
    put(before); // it closes, being no longer the newest
    byId("timeline").prepend(draw(group));
  } else show();
  return (answer) => {
    group.answers.push(answer);
    put(group);
    return answer;
  };
}

export function clear() {
  groups.length = 0;
  show();
}

/** Draw everything: at the start, and in another language. */
export function show() {
  byId("timeline").replaceChildren(...(groups.length ? groups.map(draw) : [drawEmpty()]));
}

/** Draw one group anew, where it stands. One that was cleared away stays away. */
function put(group) {
  group.element.replaceWith(draw(group));
}

function draw(group) {
  group.element = drawGroup(group, group === groups[0]);
  return group.element;
}

/** Before the first request: what a sign-in is, in three requests. */
function drawEmpty() {
  const steps = [
    ["wechat", "wx.login()"],
    ["site", "POST /api/login"],
    ["upstream", "GET /sns/jscode2session"],
  ];
  return h(
    "div",
    { class: "empty card" },
    h("p", {}, text("empty")),
    h("ol", {}, steps.map(([lane, call]) =>
      h("li", { class: `lane-${lane}` }, h("b", {}, text(`lane.${lane}`)), h("p", {}, text(`empty.${lane}`)), h("code", {}, call)))),
  );
}

function drawGroup(group, newest) {
  const time = group.time.toLocaleTimeString([], { hour12: false });
  return h(
    "article",
    { class: "group card" },
    h(
      "header",
      {},
      h("h3", {}, text(group.title, {}, group.title)),
      h("span", { class: "who" }, `${group.person} · ${text(`app.${group.app}`, {}, group.app)}`),
      h("time", {}, time),
    ),
    h("ol", {}, group.answers.map((answer, index) => {
      const key = `${group.time.getTime()}-${index}`;
      return drawAnswer(answer, key, chosen.get(key) ?? newest);
    })),
  );
}

function drawAnswer(answer, key, isOpen) {
  const search = Object.entries(answer.query ?? {}).map(
    ([name, value]) => `${name}=${shorten(name, String(value))}`,
  );
  return h(
    "li",
    { class: `answer lane-${answer.lane}` },
    h(
      "details",
      { open: isOpen },
      h(
        "summary",
        { onclick: (event) => chosen.set(key, !event.currentTarget.parentElement.open) },
        // The spaces are for those who hear this line instead of seeing it.
        h("span", { class: "lane" }, text(`lane.${answer.lane}`)), " ",
        h("span", { class: "method" }, answer.method), " ",
        h("span", { class: "path" }, answer.path, search.length ? h("i", {}, `?${search.join("&")}`) : null), " ",
        h("span", { class: `status ${statusClass(answer)}` }, statusText(answer)), " ",
        h("span", { class: "ms" }, answer.ms === undefined ? "" : `${answer.ms} ms`),
      ),
      drawError(answer),
      h(
        "div",
        { class: "bodies" },
        drawBody(text("request"), answer.body, headerLines(answer)),
        drawBody(text("answer"), answer.data, answer.wait ? [`Retry-After: ${answer.wait}`] : []),
      ),
    ),
  );
}

function headerLines({ token, headers = {} }) {
  const lines = [];
  if (token) lines.push(`Authorization: Bearer ${shorten("token", token)}`);
  if (headers["Accept-Language"]) lines.push(`Accept-Language: ${headers["Accept-Language"]}`);
  return lines;
}

function drawBody(title, body, lines) {
  const empty = body === undefined || body === null;
  return h(
    "div",
    { class: "body" },
    h("h4", {}, title),
    h(
      "pre",
      { tabindex: "0" },
      lines.map((line) => h("span", { class: "j-header" }, `${line}\n`)),
      empty ? h("span", { class: "j-none" }, text("nobody")) : json(body),
    ),
  );
}

/** The three things a client acts on: the code, the sentence, the action. */
function drawError({ lane, ok, data, wait }) {
  if (ok || lane === "upstream" || !data || typeof data !== "object") return null;
  const { code, action } = data;
  const detail = data.detail ?? data.error;
  return h(
    "p",
    { class: "error" },
    code ? h("code", {}, String(code)) : null,
    detail ? h("span", {}, String(detail)) : null,
    action ? h("span", { class: "todo" }, `${text("todo")}: ${action}`) : null,
    wait ? h("span", { class: "todo" }, text("waitfor", { seconds: wait })) : null,
  );
}

/** The HTTP status. WeChat's is 200 whatever happens: what it says is in the errcode. */
function statusText({ lane, status, data }) {
  if (!status) return text("noanswer");
  return lane === "upstream" && data?.errcode ? `errcode ${data.errcode}` : String(status);
}

function statusClass({ status, ok }) {
  if (!status || status >= 500) return "bad";
  return ok ? "good" : "odd";
}
