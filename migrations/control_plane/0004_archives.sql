-- What was written down of tenants before their data was dropped. The files themselves are on the daemon's machine.

create table control.archive (
    operation_id uuid not null
        constraint archive_pk primary key
        constraint archive_operation_fk references control.operation (id),
    tenant_id uuid not null constraint archive_tenant_fk references control.tenant (id),
    made_at timestamptz not null,
    path text not null,
    size_bytes bigint not null constraint archive_size_positive check (size_bytes > 0),
    sha256 text not null constraint archive_sha256_hex check (sha256 ~ '^[0-9a-f]{64}$'),
    -- As they were in the database and as they were read back from the file: an archive where these differ is none.
    tables bigint not null,
    row_count bigint not null,
    -- What pg_restore has to understand.
    dumped_by text not null
);
create index archive_by_tenant on control.archive (tenant_id, made_at desc);
