/** All that the pages say; in one place, for translation. */

export const text = {
  opening: "Opening…",
  connecting: "Connecting…",
  connected: "Connected",
  ended: "Not connected",
  release: "Ctrl+Alt+Shift releases the keyboard",
  released: "The keyboard is released",
  typing: "Typing…",
  who: (session) =>
    `Server ${session.server.id}, project ${session.project}, opened by ${session.user}`,
  screenOf: (name) => `Screen of ${name}`,
  serialOf: (name) => `Serial line of ${name}`,
  titleOf: (name, kind) => `${name}: ${kind === "serial" ? "serial line" : "screen"}`,
  noToken:
    "This page has nothing to open. Ask for a console's URL, for example by: " +
    "openstack console url show SERVER",
  unanswered: "The API does not answer. Look whether you are on line, and try again.",
  notAgain:
    "The console could not be opened. Either the API does not answer, or the right to " +
    "open it again has ended: then ask for a new URL.",
  lost: (why) => `The connection has ended: ${why}`,
  refused: (why) => `The console cannot be had: ${why}`,
  unknown: "no reason was given",
  noFullScreen: "This browser has no full screen",
};
