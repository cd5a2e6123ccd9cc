-- History that outlives a version: each placement's files in the order in which they were applied, whatever version brought
-- them. A rank is given once and never again; for the files of a build it is their place in the blueprint, as before.
alter table tenantry.migration_history rename column position to rank;
-- The build or the upgrade that applied the file. It is how the outcome of a COMMIT is found whose answer was lost. Null for a
-- file of an earlier release whose build nobody knows any more.
alter table tenantry.migration_history add column operation_id uuid;
update tenantry.migration_history h set operation_id = p.operation_id
from tenantry.placement p where p.placement = h.placement and p.kind <> 'tombstone';
create index migration_history_operation_idx on tenantry.migration_history (operation_id);

-- Whose statement it is: the file's path, and the checksum of the statement's text. A rank alone does not tell, since the next
-- version may have another file there.
alter table tenantry.outside_statement add column file text, add column checksum text;

-- What follows each file, once more: with the operation, and, of a placement that is in use, with those triggered tables alone
-- that this transaction has written to. The others have nothing pending from it, and are not to be locked.
alter function tenantry.close_file(text, text, text, integer, text, text, integer, bigint) rename to close_file_of_0008;
create function tenantry.close_file(
    provisioner text, owner_role text, build_xid text, operation uuid, in_use boolean,
    file_rank integer, file_name text, file_checksum text, file_statements integer, file_duration_us bigint,
    out within_bounds boolean, out writable boolean, out schema_stands boolean, out triggered_tables text[],
    out any_deferrable boolean, out runner text
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
            select l.relation from pg_locks l
            where l.pid = pg_backend_pid() and l.locktype = 'relation'
              and l.database = (select b.oid from pg_database b where b.datname = current_database())
              and l.mode not in ('AccessShareLock', 'RowShareLock'));
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
-- The schema keeps tenants out; this would, too.
revoke execute on function
    tenantry.close_file(text, text, text, uuid, boolean, integer, text, text, integer, bigint) from public;
