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

-- Which of these relations are neither the placement's nor the provisioner's, at most five.
create function tenantry.foreign_among(written oid[], owner_role text, home_role text) returns text[] language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
begin
    return array(
        select format('%I.%I', n.nspname, c.relname)
        from unnest(written) as w (relation)
        join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'f') and n.nspname not in ('pg_catalog', 'pg_toast')
          and c.relowner not in (select r.oid from pg_roles r where r.rolname in (owner_role, home_role, current_user))
        order by 1 limit 5);
end
$$;
revoke execute on function tenantry.foreign_among(oid[], text, text) from public;

-- What of other owners the transaction has written to. The lock table is read first: joined with it, whose size nobody can estimate,
-- the catalog would be read whole.
create function tenantry.foreign_writes(owner_role text, home_role text) returns text[] language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
begin
    return tenantry.foreign_among(
        array(select distinct l.relation from pg_locks l
              where l.pid = pg_backend_pid() and l.locktype = 'relation'
                and l.database = (select d.oid from pg_database d where d.datname = current_database())
                and l.mode not in ('AccessShareLock', 'RowShareLock')),
        owner_role, home_role);
end
$$;
revoke execute on function tenantry.foreign_writes(text, text) from public;

-- Whether a relation of the placement is a table.
create function tenantry.is_table(owner_role text, relation text) returns boolean language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
begin
    return exists (
        select from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = owner_role and c.relname = relation and c.relkind in ('r', 'p'));
end
$$;
revoke execute on function tenantry.is_table(text, text) from public;

-- What follows each file, once more: for a placement in use it also tells what of other owners was written to, since it reads the
-- lock table in any case.
alter function tenantry.close_file(text, text, text, uuid, boolean, integer, text, text, integer, bigint)
    rename to close_file_of_0010;
create function tenantry.close_file(
    provisioner text, owner_role text, home_role text, build_xid text, operation uuid, in_use boolean,
    file_rank integer, file_name text, file_checksum text, file_statements integer, file_duration_us bigint,
    out within_bounds boolean, out writable boolean, out schema_stands boolean, out triggered_tables text[],
    out any_deferrable boolean, out runner text, out foreign_writes text[]
) language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
declare
    owner_oid oid := to_regrole(owner_role)::oid;
    written oid[];
begin
    within_bounds := current_user = provisioner and session_user = provisioner
        and coalesce(pg_current_xact_id_if_assigned()::xid::text = build_xid, false);
    writable := not current_setting('transaction_read_only')::boolean;
    schema_stands := exists (select from pg_namespace n where n.nspname = owner_role and n.nspowner = owner_oid);
    if in_use then
        written := array(
            select distinct l.relation from pg_locks l
            where l.pid = pg_backend_pid() and l.locktype = 'relation'
              and l.database = (select b.oid from pg_database b where b.datname = current_database())
              and l.mode not in ('AccessShareLock', 'RowShareLock'));
        foreign_writes := tenantry.foreign_among(written, owner_role, home_role);
    end if;
    -- What a role owns is read from the shared dependencies, which are indexed: a scan of the catalog would make each
    -- build slower with every tenant that is there.
    select coalesce(array_agg(name) filter (where not in_use or id = any (written)), '{}'),
        coalesce(bool_or(is_deferrable), false)
    into triggered_tables, any_deferrable
    from (
        select c.oid as id, format('%I.%I', n.nspname, c.relname) as name, bool_or(t.tgdeferrable) as is_deferrable
        from pg_shdepend d
        join pg_trigger t on t.tgrelid = d.objid
        join pg_class c on c.oid = d.objid
        join pg_namespace n on n.oid = c.relnamespace
        where d.refclassid = 'pg_authid'::regclass and d.refobjid = owner_oid
          and d.dbid = (select b.oid from pg_database b where b.datname = current_database())
          and d.classid = 'pg_class'::regclass and d.deptype = 'o' and c.relkind in ('r', 'p')
        group by c.oid, n.nspname, c.relname) tables;
    runner := tenantry.runner_version(owner_role);
    if within_bounds and writable then
        insert into tenantry.migration_history
            (placement, rank, file, checksum, statements, duration_us, operation_id)
        values (owner_role, file_rank, file_name, file_checksum, file_statements, file_duration_us, operation);
    end if;
end
$$;
revoke execute on function
    tenantry.close_file(text, text, text, text, uuid, boolean, integer, text, text, integer, bigint) from public;
