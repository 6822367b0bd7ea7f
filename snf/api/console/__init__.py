"""The web's side of consoles: the page, and WebSockets on the API's own origin."""
