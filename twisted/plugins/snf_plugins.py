"""Names our daemons to twistd.  Imports nothing of ours, so that listing stays fast."""

from twisted.application.service import ServiceMaker

cyclades = ServiceMaker(
    "Cyclades",
    "snf.tap.cyclades",
    "Serve the cloud: HTTP APIs, submitter, dispatcher, reconciler.",
    "cyclades",
)

eventd = ServiceMaker(
    "Cyclades eventd",
    "snf.tap.eventd",
    "Tell the cloud what happens on this Ganeti cluster.",
    "snf-eventd",
)

demo = ServiceMaker(
    "Cyclades demo",
    "snf.tap.demo",
    "Serve a cloud whose machines are simulated, for trying things out.",
    "cyclades-demo",
)

nfdhcpd = ServiceMaker(
    "Cyclades nfdhcpd",
    "snf.tap.nfdhcpd",
    "Answer guests' DHCP, router and neighbor solicitations on their node.",
    "nfdhcpd",
)

noded = ServiceMaker(
    "Cyclades noded",
    "snf.tap.noded",
    "Serve a node's guests their metadata, and the API what it asks of the node.",
    "snf-noded",
)
