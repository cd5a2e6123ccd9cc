-- What follows each file of a build, once more: with the tables that have any trigger, not only a deferrable one. An event
-- that a deferrable trigger queued stays deferred though its constraint is made NOT DEFERRABLE afterwards.
-- The one of before is renamed and not dropped: anybody can name it in an expression by its number, and a drop would then wait
-- for whoever reads the table that has the expression.
alter function tenantry.close_file(text, text, text, integer, text, text, integer, bigint) rename to close_file_of_0003;
create function tenantry.close_file(
    provisioner text, owner_role text, build_xid text,
    file_position integer, file_name text, file_checksum text, file_statements integer, file_duration_us bigint,
    out within_bounds boolean, out writable boolean, out schema_stands boolean, out triggered_tables text[],
    out any_deferrable boolean, out runner text
) language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
declare
    owner_oid oid := to_regrole(owner_role)::oid;
begin
    within_bounds := current_user = provisioner and session_user = provisioner
        and coalesce(pg_current_xact_id_if_assigned()::xid::text = build_xid, false);
    writable := not current_setting('transaction_read_only')::boolean;
    schema_stands := exists (select from pg_namespace n where n.nspname = owner_role and n.nspowner = owner_oid);
    -- What a role owns is read from the shared dependencies, which are indexed: a scan of the catalog would make each
    -- build slower with every tenant that is there.
    select coalesce(array_agg(name), '{}'), coalesce(bool_or(is_deferrable), false)
    into triggered_tables, any_deferrable
    from (
        select format('%I.%I', n.nspname, c.relname) as name, bool_or(t.tgdeferrable) as is_deferrable
        from pg_shdepend d
        join pg_trigger t on t.tgrelid = d.objid
        join pg_class c on c.oid = d.objid
        join pg_namespace n on n.oid = c.relnamespace
        where d.refclassid = 'pg_authid'::regclass and d.refobjid = owner_oid
          and d.dbid = (select b.oid from pg_database b where b.datname = current_database())
          and d.classid = 'pg_class'::regclass and d.deptype = 'o' and c.relkind in ('r', 'p')
        group by n.nspname, c.relname) tables;
    runner := tenantry.runner_version(owner_role);
    if within_bounds and writable then
        insert into tenantry.migration_history (placement, position, file, checksum, statements, duration_us)
        values (owner_role, file_position, file_name, file_checksum, file_statements, file_duration_us);
    end if;
end
$$;
-- The schema keeps tenants out; this would, too.
revoke execute on function tenantry.close_file(text, text, text, integer, text, text, integer, bigint) from public;
