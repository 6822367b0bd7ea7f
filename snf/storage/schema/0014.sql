-- A cluster that is made anew has its name, and counts its jobs from 1 again.

ALTER TABLE cluster ADD COLUMN uuid text;   -- by which Ganeti knows it; NULL: not asked yet
