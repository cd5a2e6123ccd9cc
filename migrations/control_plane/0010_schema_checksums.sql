-- Which text each migration had: one that was edited after it was applied is found out before anything builds on it.
-- Those of 0.1.0 are recorded by the first later build, as it has them.
alter table control.schema_version add column sha256 text
    constraint schema_version_sha256_hex check (sha256 ~ '^[0-9a-f]{64}$');
