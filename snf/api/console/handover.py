"""A connection that was HTTP's becomes a WebSocket's: nobody else reads or ends it."""

from typing import Any

from twisted.internet.interfaces import IReactorTime

from snf.console.peer import StreamPeer
from snf.console.websocket import WebSocketPeer


def hand_over(clock: IReactorTime, request: Any, answer: bytes) -> WebSocketPeer:
    """
    Return the viewer that a request's connection is from now on; it is paused.

    The request is over: nothing may be written to it any more.

    :param answer: What tells the client, from the status line to the blank line.
    """
    channel = request.channel
    transport = channel.transport
    early = b"".join(channel._dataBuffer)
    channel._dataBuffer = []
    # It was the site that wanted to be told of a full buffer, and of time.
    channel._networkProducer.unregisterProducer()
    channel.setTimeout(None)
    channel.requests.clear()
    stream = StreamPeer(clock)
    # What the transport calls goes on to whatever the channel has under these names.
    channel.dataReceived = stream.dataReceived
    channel.connectionLost = stream.connectionLost
    stream.makeConnection(transport)
    if early:
        stream.put_back(early)
    stream.send(answer)
    return WebSocketPeer(clock, stream)
