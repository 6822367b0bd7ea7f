"""OpenStack compute, with the Synnefo extensions."""
