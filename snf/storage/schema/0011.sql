-- Interfaces that come and go, and the networks of clusters.

ALTER TABLE port
    -- Made by itself: it outlives its server, and is taken off it instead.
    ADD COLUMN kept     boolean NOT NULL DEFAULT false,
    -- On its way to its server, or from it: without a NIC it is no longer there.
    ADD COLUMN changing boolean NOT NULL DEFAULT false,
    -- Ganeti is done with it; the guest that runs will see so at its next start.
    ADD COLUMN waits    boolean NOT NULL DEFAULT false,
    -- Of the newest news of its NIC, by the clock of Ganeti's master.
    ADD COLUMN clock    double precision NOT NULL DEFAULT 0,
    -- What its owner calls it when it is attached.
    ADD COLUMN nic_tag  text;
CREATE INDEX port_waiting ON port (server_id) WHERE waits;

-- The networks that clusters have, or may have: written before the cluster is asked to
-- make one, and gone when it has said that it has it no more.
CREATE TABLE cluster_network (
    cluster_id integer NOT NULL REFERENCES cluster ON DELETE CASCADE,
    network_id uuid NOT NULL REFERENCES network,
    state      text NOT NULL DEFAULT 'making'
               CHECK (state IN ('making', 'made')),
    groups     text[] NOT NULL DEFAULT '{}',   -- node groups that it is connected to
    PRIMARY KEY (cluster_id, network_id)
);
CREATE INDEX cluster_network_of ON cluster_network (network_id);
