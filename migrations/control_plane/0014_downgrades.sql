-- Back to an earlier version.

-- The files beside a version's migrations that take them back. Its checksum does not cover them: they may be added later, and
-- corrected as long as no upgrade of the blueprint is open.
create table control.blueprint_undo_file (
    blueprint text not null,
    major integer not null,
    minor integer not null,
    path text not null,
    content text not null,
    -- SHA-256 of the content, as 64 hexadecimal digits.
    checksum text not null,
    added_by text not null,
    added_at timestamptz not null default now(),
    constraint blueprint_undo_file_pk primary key (blueprint, major, minor, path),
    constraint blueprint_undo_file_version_fk foreign key (blueprint, major, minor)
        references control.blueprint_version (blueprint, major, minor)
);

-- Its tenants have later versions, and go back to this one.
alter table control.upgrade add column goes_back boolean not null default false;
