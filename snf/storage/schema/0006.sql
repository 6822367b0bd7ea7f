-- Servers that an operator has taken from their owners, and what has been moved.

ALTER TABLE server ADD COLUMN suspended boolean NOT NULL DEFAULT false;

CREATE INDEX orders_moves ON orders (number)
    WHERE kind IN ('migrate', 'live-migration', 'evacuate');
