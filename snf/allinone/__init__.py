"""The whole cloud on one machine: what ``./cloud`` runs."""
