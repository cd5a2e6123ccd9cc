-- What a new tenant of a version looks like in the catalog, so that a tenant that was changed by hand is found.

create table control.fingerprint (
    blueprint text not null,
    major integer not null,
    minor integer not null,
    tenancy text not null,
    -- Servers write definitions differently from version to version.
    server_major integer not null,
    -- In which way it was read. One of an earlier way is made again.
    format integer not null,
    digest text not null constraint fingerprint_digest_hex check (digest ~ '^[0-9a-f]{64}$'),
    objects jsonb not null,
    -- Where it was made.
    target text not null,
    made_at timestamptz not null default now(),
    constraint fingerprint_pk primary key (blueprint, major, minor, tenancy, server_major, format),
    constraint fingerprint_version_fk foreign key (blueprint, major, minor) references control.blueprint_version (blueprint, major, minor)
);

-- Since when a verification found the tenant's objects to be others than its version makes; none if they were as they should be.
alter table control.tenant add column drifted_since timestamptz;
