"""snf-eventd: publishes what Ganeti's jobs do, from the master."""
