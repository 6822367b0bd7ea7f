/** The page of a server's screen. */

import { HELD, OTHERS, SHIFT, strokes } from "./keys.js";
import { begin, ended, say, screen } from "./page.js";
import { socket } from "./session.js";
import { text } from "./text.js";
import RFB from "./vendor/novnc/core/rfb.js";

// A guest's keyboard takes so many keys in a second, and forgets the others.
const PAUSE_MS = 12;

let rfb = null;
let fits = true;

const held = [...document.querySelectorAll(".held")];
const others = document.getElementById("other");
const scale = document.getElementById("scale");

const view = {
  label: text.screenOf,
  connect,
  focus: () => rfb?.focus(),
  release,
  async type(typed) {
    for (const { keysym, shift } of strokes(typed)) {
      if (rfb === null) {
        return;
      }
      if (shift) {
        rfb.sendKey(SHIFT, "ShiftLeft", true);
      }
      rfb.sendKey(keysym);
      if (shift) {
        rfb.sendKey(SHIFT, "ShiftLeft", false);
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  },
};

function connect(opened) {
  leave();
  const channel = socket(opened);
  let why = "";
  let connected = false;
  channel.addEventListener("close", (event) => {
    why ||= event.reason;
  });
  const mine = new RFB(screen, channel, { shared: true });
  rfb = mine;
  mine.scaleViewport = fits;
  mine.background = "#000";
  mine.addEventListener("connect", () => {
    connected = true;
    const canvas = screen.querySelector("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", `${text.screenOf(opened.server.name)}. ${text.release}`);
    say(`${text.connected}. ${text.release}`);
    mine.focus();
  });
  mine.addEventListener("securityfailure", (event) => {
    why = event.detail.reason ?? "";
  });
  mine.addEventListener("disconnect", () => {
    if (rfb !== mine) {
      return;
    }
    rfb = null;
    letGo();
    // The socket's own reason comes with an event that is on its way.
    setTimeout(() => {
      if (connected) {
        ended(text.lost(why || text.unknown));
      } else {
        ended(why ? text.refused(why) : text.notAgain);
      }
    });
  });
}

function leave() {
  const former = rfb;
  rfb = null;
  letGo();
  former?.disconnect();
}

/** Give the keyboard back to the page, with no key left pressed. */
function release() {
  for (const [keysym, code] of [HELD.Control, HELD.Alt, [SHIFT, "ShiftLeft"]]) {
    rfb?.sendKey(keysym, code, false);
  }
  rfb?.blur();
}

function letGo() {
  for (const button of held) {
    button.setAttribute("aria-pressed", "false");
  }
}

for (const button of held) {
  button.addEventListener("click", () => {
    if (rfb === null) {
      return;
    }
    const down = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(down));
    rfb.sendKey(...HELD[button.dataset.key], down);
    rfb.focus();
  });
}

for (const name of Object.keys(OTHERS)) {
  others.add(new Option(name, name));
}
others.addEventListener("change", () => {
  if (rfb !== null && others.value) {
    rfb.sendKey(...OTHERS[others.value]);
    rfb.focus();
  }
  others.value = "";
});

document.getElementById("cad").addEventListener("click", () => {
  rfb?.sendCtrlAltDel();
  rfb?.focus();
});

scale.addEventListener("click", () => {
  fits = !fits;
  scale.setAttribute("aria-pressed", String(fits));
  if (rfb !== null) {
    rfb.scaleViewport = fits;
  }
});

begin("novnc", view);
