/** The page of a server's serial line. */

import { begin, ended, say, screen } from "./page.js";
import { socket } from "./session.js";
import { text } from "./text.js";
import { Terminal } from "./vendor/xterm/xterm.mjs";

const encoder = new TextEncoder();

// Nobody tells a serial line how large its terminal is: guests take it for 80 by 24.
const terminal = new Terminal({
  cols: 80,
  rows: 24,
  scrollback: 5000,
  screenReaderMode: true,
  cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
});
let line = null;

terminal.open(screen);
terminal.onData((data) => send(encoder.encode(data)));
terminal.onBinary((data) => send(Uint8Array.from(data, (one) => one.charCodeAt(0))));

const view = {
  label: text.serialOf,
  connect,
  focus: () => terminal.focus(),
  release: () => terminal.blur(),
  async type(typed) {
    send(encoder.encode(typed.replaceAll("\r\n", "\n").replaceAll("\n", "\r")));
  },
};

function send(data) {
  if (line?.readyState === WebSocket.OPEN) {
    line.send(data);
  }
}

function connect(opened) {
  const former = line;
  const mine = socket(opened);
  let connected = false;
  line = mine;
  former?.close();
  mine.addEventListener("open", () => {
    connected = true;
    say(`${text.connected}. ${text.release}`);
    terminal.focus();
  });
  mine.addEventListener("message", (event) => {
    terminal.write(new Uint8Array(event.data));
  });
  mine.addEventListener("close", (event) => {
    if (line !== mine) {
      return;
    }
    line = null;
    ended(connected ? text.lost(event.reason || text.unknown) : text.notAgain);
  });
}

begin("serial", view);
