// A phone for the npm package apifm-wxapi: what of `wx` it uses, over HTTP, and a line to the tests.
//
//   node phone.js <folder of the package> [<script that is run with the package before anything>]
//
// Reads one JSON object per line, {calls: [{name, args}]}: makes these calls of the package at the
// same time, and writes {answers, sent} as one line. What goes to another machine is not sent.
"use strict";

const { createInterface } = require("node:readline");
const { readFileSync } = require("node:fs");
const path = require("node:path");

let sent = [];

// WeChat writes each parameter, whatever it is: undefined as "undefined", an array with commas.
const encode = (data) => Object.entries(data ?? {})
  .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  .join("&");

const isHere = (url) => ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);

function note(url, method) {
  const { origin, pathname } = new URL(url);
  sent.push(`${method} ${isHere(url) ? "" : origin}${pathname}`);
  return isHere(url);
}

async function request({ url, method = "GET", data, header, success, fail, complete }) {
  const verb = method.toUpperCase();
  try {
    if (!note(url, verb)) throw new Error("request:fail url not in domain list");
    const text = encode(data);
    const target = verb === "GET" && text ? `${url}${url.includes("?") ? "&" : "?"}${text}` : url;
    const body = verb === "GET" ? undefined : text;
    const answer = await fetch(target, { method: verb, headers: header, body, redirect: "follow" });
    const content = await answer.text();
    let parsed = content;
    try { parsed = JSON.parse(content); } catch { /* WeChat hands on what is no JSON as text */ }
    success?.({ statusCode: answer.status, data: parsed });
  } catch (error) {
    fail?.({ errMsg: error.message });
  }
  complete?.({});
}

async function uploadFile({ url, filePath, name, formData, success, fail, complete }) {
  try {
    if (!note(url, "POST")) throw new Error("uploadFile:fail url not in domain list");
    const form = new FormData();
    for (const [key, value] of Object.entries(formData ?? {})) form.append(key, String(value));
    form.append(name, new Blob([readFileSync(filePath)]), path.basename(filePath));
    const answer = await fetch(url, { method: "POST", body: form });
    success?.({ statusCode: answer.status, data: await answer.text() });
  } catch (error) {
    fail?.({ errMsg: error.message });
  }
  complete?.({});
}

globalThis.wx = { request, uploadFile };
const WXAPI = require(path.resolve(process.argv[2]));
if (process.argv[3]) {
  const app = new Function("WXAPI", "wx", readFileSync(process.argv[3], "utf8"));
  app(WXAPI, globalThis.wx);
}

async function make({ name, args }) {
  if (typeof WXAPI[name] !== "function") return { missing: name };
  try {
    return await WXAPI[name](...args) ?? null;
  } catch (error) {
    return { failed: error.errMsg ?? error.message };
  }
}

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    sent = [];
    const answers = await Promise.all(JSON.parse(line).calls.map(make));
    process.stdout.write(`${JSON.stringify({ answers, sent })}\n`);
  }
})();
