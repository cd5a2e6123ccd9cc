-- A placement on which an upgrade is rehearsed. It belongs to no tenant and is removed at the end; a daemon that finds one
-- which another daemon left behind removes it by this marker.
alter table tenantry.placement drop constraint placement_kind_known;
alter table tenantry.placement add constraint placement_kind_known
    check (kind in ('tenant', 'canary', 'canary_database', 'pool', 'rehearsal', 'tombstone'));
