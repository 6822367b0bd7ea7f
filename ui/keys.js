/** Keys as RFB names them (keysyms), and what has to be pressed for a text. */

export const SHIFT = 0xffe1;
const RETURN = 0xff0d;
const TAB = 0xff09;

/** What stays pressed until it is pressed again: keysym, and the key's code. */
export const HELD = {
  Control: [0xffe3, "ControlLeft"],
  Alt: [0xffe9, "AltLeft"],
  Super: [0xffeb, "MetaLeft"],
};

/** Other keys that browsers or systems keep for themselves. */
export const OTHERS = {
  Escape: [0xff1b, "Escape"],
  Tab: [TAB, "Tab"],
  "Print Screen": [0xff61, "PrintScreen"],
  ...Object.fromEntries(
    Array.from({ length: 12 }, (_, at) => [`F${at + 1}`, [0xffbe + at, `F${at + 1}`]]),
  ),
};

const SHIFTED = new Set('~!@#$%^&*()_+{}|:"<>?ABCDEFGHIJKLMNOPQRSTUVWXYZ');

/**
 * Return the keys for a text: `{keysym, shift}` each. A VNC server presses the key that
 * has the character, but not Shift with it.
 */
export function strokes(text) {
  return Array.from(text.replaceAll("\r\n", "\n"), (one) => ({
    keysym: keysym(one),
    shift: SHIFTED.has(one),
  }));
}

function keysym(one) {
  const code = one.codePointAt(0);
  if (one === "\n" || one === "\r") {
    return RETURN;
  }
  if (one === "\t") {
    return TAB;
  }
  // Latin 1 is itself; all else of Unicode has a range of its own (X11, keysymdef.h).
  return code <= 0xff ? code : 0x01000000 | code;
}
