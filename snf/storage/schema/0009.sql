-- For lists that are narrowed: what is in a status that few are in, whosever it is, and
-- what has changed a short while ago.

CREATE INDEX server_in_status ON server (project_id, status, created DESC, id DESC)
    WHERE deleted IS NULL;
CREATE INDEX server_live_in_status ON server (status, created DESC, id DESC)
    WHERE deleted IS NULL;
CREATE INDEX server_changed ON server (project_id, updated);
