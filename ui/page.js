/** What the pages of all consoles have: the bar, the notice, full screen, pasting. */

import { Refused, session } from "./session.js";
import { text } from "./text.js";

const find = (id) => document.getElementById(id);

export const screen = find("screen");

/** Say how it stands. */
export function say(what) {
  find("status").textContent = what;
}

/** Say that it has ended, and offer to connect again; `final`: nothing is offered. */
export function ended(reason, final = false) {
  say(text.ended);
  find("reason").textContent = reason;
  find("notice").hidden = false;
  find("again").hidden = final;
  find("connect").disabled = final;
  if (!final) {
    find("again").focus();
  }
}

/**
 * Begin: redeem the token, say who and what, and connect.
 *
 * @param {"novnc"|"serial"} type
 * @param {object} view Of this kind of console: `connect(session)` begins anew,
 *   `type(text)` types, `focus()` and `release()` give it the keyboard and take it back,
 *   `label(name)` is what its element is called.
 */
export async function begin(type, view) {
  let opened = null;
  const connect = async () => {
    find("notice").hidden = true;
    say(opened === null ? text.opening : text.connecting);
    try {
      opened ??= await session(type);
    } catch (failure) {
      if (!(failure instanceof Refused)) {
        throw failure;
      }
      ended(failure.message, failure.final);
      return;
    }
    introduce(opened, view);
    view.connect(opened);
  };
  find("connect").addEventListener("click", connect);
  find("again").addEventListener("click", connect);
  prepareFull();
  preparePasting(view);
  prepareRelease(view);
  await connect();
}

function introduce(opened, view) {
  const name = opened.server.name;
  document.title = text.titleOf(name, opened.type);
  find("title").textContent = name;
  find("who").textContent = text.who(opened);
  screen.setAttribute("aria-label", view.label(name));
}

/** Full screen, in which the bar comes when the pointer or the focus is at the top. */
function prepareFull() {
  const button = find("full");
  const bar = find("bar");
  button.addEventListener("click", async () => {
    if (document.fullscreenElement) {
      await document.exitFullscreen();
    } else {
      await document.documentElement.requestFullscreen().catch(() => say(text.noFullScreen));
    }
  });
  document.addEventListener("fullscreenchange", () => {
    const full = document.fullscreenElement !== null;
    document.body.classList.toggle("full", full);
    button.setAttribute("aria-pressed", String(full));
  });
  document.addEventListener("pointermove", (event) => {
    const near = event.clientY < (bar.classList.contains("shown") ? bar.offsetHeight : 6);
    bar.classList.toggle("shown", near);
  });
}

function preparePasting(view) {
  const dialog = find("pasting");
  const area = find("text");
  find("paste").addEventListener("click", () => {
    area.value = "";
    dialog.returnValue = "";
    dialog.showModal();
    area.focus();
  });
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "type" || area.value === "") {
      return;
    }
    say(text.typing);
    const typed = area.value;
    area.value = "";
    view.focus();
    await view.type(typed);
    say(text.connected);
  });
}

/** A console takes every key; these three together give the keyboard back to the page. */
function prepareRelease(view) {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey && event.altKey && event.shiftKey && screen.contains(document.activeElement)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        view.release();
        find("paste").focus();
        say(text.released);
      }
    },
    true,
  );
}
