"""Measurements: a script a claim, each with its peer or limit from the same run."""
