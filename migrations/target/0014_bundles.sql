-- Several files of a build in one message. What stands between them is asked here and not by the provisioner, who reads the answers
-- only when the whole message is done.

-- The microseconds since the message came, without those of its earlier files: what the file of this rank took.
create function tenantry.time_of_file(owner_role text, first_rank integer, file_rank integer) returns bigint language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
begin
    return (extract(epoch from clock_timestamp() - statement_timestamp()) * 1000000)::bigint - (
        select coalesce(sum(h.duration_us), 0) from tenantry.migration_history h
        where h.placement = owner_role and h.rank >= first_rank and h.rank < file_rank);
end
$$;
revoke execute on function tenantry.time_of_file(text, integer, integer) from public;

-- What follows a file with another one behind it in the same message: an error, unless the session and the function that runs the
-- files are as the next one needs them. Returns what the file took.
create function tenantry.end_file(
    provisioner text, owner_role text, build_xid text, operation uuid, runner text, first_rank integer,
    file_rank integer, file_name text, file_checksum text, file_statements integer
) returns bigint language plpgsql
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan as
$$
declare
    took bigint;
begin
    if not (current_user = provisioner and session_user = provisioner
            and coalesce(pg_current_xact_id_if_assigned()::xid::text = build_xid, false)
            and not current_setting('transaction_read_only')::boolean
            and exists (select from pg_namespace n where n.nspname = owner_role and n.nspowner = to_regrole(owner_role)::oid)
            and tenantry.runner_version(owner_role) is not distinct from runner) then
        raise exception 'the next file cannot follow % in the same message', file_name;
    end if;
    took := tenantry.time_of_file(owner_role, first_rank, file_rank);
    insert into tenantry.migration_history (placement, rank, file, checksum, statements, duration_us, operation_id)
    values (owner_role, file_rank, file_name, file_checksum, file_statements, took, operation);
    return took;
end
$$;
revoke execute on function
    tenantry.end_file(text, text, text, uuid, text, integer, integer, text, text, integer) from public;
