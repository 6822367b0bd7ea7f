/** The right to open a console: had for a token, once, and then kept by a cookie. */

import { text } from "./text.js";

/** A refusal, in words for the user. `final` is whether trying again makes no sense. */
export class Refused extends Error {
  constructor(message, final) {
    super(message);
    this.final = final;
  }
}

const KEPT = "cyclades-console-";

/**
 * Return the session that the page's address names: by a token, which is redeemed and
 * taken out of the address, or by the id of one that this tab has had already.
 *
 * @param {"novnc"|"serial"} type
 */
export async function session(type) {
  const token = new URLSearchParams(location.search).get("token");
  if (token === null) {
    return kept();
  }
  const opened = await redeem(token, type);
  // What it says of the console; the secret itself no script ever sees.
  sessionStorage.setItem(KEPT + opened.id, JSON.stringify(opened));
  history.replaceState(null, "", `${location.pathname}#${opened.id}`);
  return opened;
}

function kept() {
  const known = sessionStorage.getItem(KEPT + location.hash.slice(1));
  if (known === null) {
    throw new Refused(text.noToken, true);
  }
  return JSON.parse(known);
}

async function redeem(token, type) {
  let answer;
  try {
    answer = await fetch("sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ session: { token, type } }),
    });
  } catch {
    throw new Refused(text.unanswered, false);
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Refused(body.error?.message ?? text.unanswered, answer.status < 500);
  }
  return body.session;
}

/** Return a new WebSocket of a session; the cookie goes with it. */
export function socket(opened) {
  const url = new URL(opened.socket, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const made = new WebSocket(url, ["binary"]);
  made.binaryType = "arraybuffer";
  return made;
}
