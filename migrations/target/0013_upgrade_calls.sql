-- What an upgrade asks when it begins, and before its COMMIT: one call each, whose plans the session keeps. Asked one after the other,
-- these questions took as long as many a migration.

-- Holds the marker, and reads what the placement has. Each statement sees what was committed before it began: the history is that of
-- after the wait for an earlier attempt.
create function tenantry.begin_upgrade(
    build uuid, new_fence bigint, owner_role text,
    out state text, out is_latest boolean, out xid text, out backend integer, out owner_is_open boolean,
    out history jsonb, out begun jsonb
) language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
begin
    update tenantry.placement p set fence = greatest(p.fence, new_fence)
    where p.operation_id = build and p.kind <> 'tombstone'
    returning p.state, p.fence = new_fence into state, is_latest;
    xid := (pg_current_xact_id()::xid)::text;
    backend := pg_backend_pid();
    owner_is_open := exists (
        select from pg_roles r where r.rolname = owner_role
          and (r.rolcanlogin or exists (select from pg_stat_get_activity(null) a where a.usesysid = r.oid)));
    history := coalesce((
        select jsonb_agg(jsonb_build_array(h.rank, h.file, h.checksum, h.operation_id) order by h.rank)
        from (select distinct on (m.file) m.rank, m.file, m.checksum, m.operation_id
              from tenantry.migration_history m where m.placement = owner_role order by m.file, m.rank desc) h), '[]');
    begun := coalesce((
        select jsonb_agg(jsonb_build_array(s.file, s.statement, s.checksum, s.done_at is not null)
                         order by s.position, s.statement)
        from tenantry.outside_statement s
        where s.placement = owner_role and s.file is not null and s.checksum is not null
          and not exists (select from tenantry.migration_history h
                          where h.placement = s.placement and h.rank = s.position)), '[]');
end
$$;
revoke execute on function tenantry.begin_upgrade(uuid, bigint, text) from public;

-- What of other owners the transaction has written to, at most five.
create function tenantry.foreign_writes(owner_role text, home_role text) returns text[] language sql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
    select coalesce(array_agg(w.name), '{}') from (
        select distinct format('%I.%I', n.nspname, c.relname) as name
        from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
        where l.pid = pg_backend_pid() and l.locktype = 'relation'
          and l.database = (select d.oid from pg_database d where d.datname = current_database())
          and l.mode not in ('AccessShareLock', 'RowShareLock') and c.relkind in ('r', 'p', 'f')
          and n.nspname not in ('pg_catalog', 'pg_toast')
          and c.relowner not in (select r.oid from pg_roles r where r.rolname in (owner_role, home_role, current_user))
        limit 5) w
$$;
revoke execute on function tenantry.foreign_writes(text, text) from public;
