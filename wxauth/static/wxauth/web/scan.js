// Watches how far the code is, and goes on when the phone has said yes. Where the server can, it
// tells by itself; else, and whenever that breaks off, it is asked, more and more slowly.

"use strict";
{
  const form = document.getElementById("scan");
  const line = document.getElementById("state");
  const again = document.getElementById("again");

  const FIRST = 800, SLOWEST = 3000, GROWTH = 1.15; // milliseconds
  const ends = Date.now() + Number(form.dataset.seconds) * 1000;

  const say = (state) => {
    if (line.dataset.now !== state) {
      line.dataset.now = state;
      line.textContent = line.dataset[state];
    }
  };
  const rest = (time) => new Promise((done) => setTimeout(done, time));

  const query = new URLSearchParams({ scan: form.elements.scan.value });

  function listen() {
    const source = new EventSource(`${form.dataset.events}?${query}`);
    return new Promise((done) => {
      source.onmessage = ({ data }) => say(data);
      source.onerror = () => done(source.close()); // the end of the stream is one too
    });
  }

  async function ask() {
    if (Date.now() > ends + SLOWEST) return "expired";
    try {
      const response = await fetch(`${form.dataset.state}?${query}`, { cache: "no-store" });
      return response.ok ? (await response.json()).state : "offline";
    } catch {
      return "offline";
    }
  }

  async function collect() {
    if (form.dataset.next) return location.replace(form.dataset.next); // there is nobody to sign in
    try {
      const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
      if (response.ok) return location.replace((await response.json()).next);
      return say(response.status < 429 ? "expired" : "offline"); // too many requests, or an outage
    } catch {
      return say("offline");
    }
  }

  async function watch() {
    if (form.dataset.events) await listen();
    for (let pause = FIRST; ; pause = Math.min(pause * GROWTH, SLOWEST)) {
      const state = await ask();
      say(state);
      if (state === "confirmed") {
        await collect();
        if (line.dataset.now === "confirmed") return;
      }
      if (!["waiting", "scanned", "offline"].includes(line.dataset.now)) break;
      await rest(pause);
    }
    again.hidden = false;
    again.focus();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  watch();
}
