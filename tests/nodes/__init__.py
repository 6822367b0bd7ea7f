"""The daemons of nodes, as the API asks them."""
