"""PostgreSQL: the only source of truth for what users see."""
