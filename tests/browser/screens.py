"""A guest's screen that shows two colors, and remembers which keys were pressed."""

from struct import unpack

from tests.console.ends import End

WIDTH, HEIGHT = 64, 48
_NAME = b"guest"
# Of RFB's messages from viewers: how long each is, by its type (RFC 6143, 7.5).
_SIZES = {0: 20, 3: 10, 4: 8, 5: 6, 150: 10}


async def serve(end: End, keys: list[tuple[int, bool]]) -> None:
    """
    Be the screen of a viewer that has been let in, until that is gone.

    :param keys: Gets each key event: the keysym, and whether it is pressed.
    """
    await end.read(1)
    pixels = bytes([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0])
    head = WIDTH.to_bytes(2, "big") + HEIGHT.to_bytes(2, "big")
    end.send(head + pixels + len(_NAME).to_bytes(4, "big") + _NAME)
    drawn = False
    while not end.lost:
        kind = (await end.read(1) or b"\xff")[0]
        if kind == 2:
            count = int.from_bytes((await end.read(3))[1:], "big")
            await end.read(4 * count)
        elif kind == 6:
            size = int.from_bytes((await end.read(7))[3:], "big")
            await end.read(size)
        elif kind in _SIZES:
            rest = await end.read(_SIZES[kind] - 1)
            if kind == 4 and len(rest) == 7:
                pressed, keysym = unpack(">BxxI", rest)
                keys.append((keysym, bool(pressed)))
            elif kind == 3 and not drawn:
                drawn = True
                end.send(_picture())


def _picture() -> bytes:
    """Return a FramebufferUpdate: raw, red above and green below."""
    rectangle = b"".join(n.to_bytes(2, "big") for n in (0, 0, WIDTH, HEIGHT))
    half = WIDTH * HEIGHT // 2
    raw = b"\xff\0\0\xff" * half + b"\0\xff\0\xff" * half
    return b"\0\0\0\1" + rectangle + bytes(4) + raw
