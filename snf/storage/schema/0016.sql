-- What is under way with a server is looked for with each piece of news of it, and must
-- not be looked for among all that is under way.
CREATE INDEX orders_open_of_server ON orders (server_id, number)
    WHERE state IN ('new', 'submitting', 'submitted');
