Cyclades speaks with Ganeti's remote API over verified or pinned TLS, and carries out every order once.
