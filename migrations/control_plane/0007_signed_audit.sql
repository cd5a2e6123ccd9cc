-- The trail is signed: what its end is, the key's holder says, and not the database.

-- The signature moves with the head, so that it always covers the newest event and with it the whole chain.
alter table control.audit_head
    -- Which trail it is: a signature of another installation's says nothing here.
    add column trail uuid not null default gen_random_uuid(),
    -- Of the key: the first 16 hexadecimal digits of its SHA-256. Absent until a daemon has begun to sign.
    add column key text constraint audit_head_key_hex check (key ~ '^[0-9a-f]{16}$'),
    add column signature bytea constraint audit_head_signature_length check (octet_length(signature) = 64),
    add constraint audit_head_signed_whole check ((key is null) = (signature is null));

-- Signatures that stay: at round numbers, where a key ends, and where what comes before was pruned.
create table control.audit_checkpoint (
    seq bigint not null constraint audit_checkpoint_pk primary key,
    hash bytea not null constraint audit_checkpoint_hash_length check (octet_length(hash) = 32),
    key text not null constraint audit_checkpoint_key_hex check (key ~ '^[0-9a-f]{16}$'),
    signature bytea not null constraint audit_checkpoint_signature_length check (octet_length(signature) = 64)
);
create trigger audit_checkpoint_is_immutable before update or delete on control.audit_checkpoint
    for each row execute function control.refuse_audit_change();
alter table control.audit_checkpoint enable always trigger audit_checkpoint_is_immutable;
create trigger audit_checkpoint_is_not_truncated before truncate on control.audit_checkpoint
    for each statement execute function control.refuse_audit_change();
alter table control.audit_checkpoint enable always trigger audit_checkpoint_is_not_truncated;

-- A detail is deleted to redact it, and never becomes another.
create trigger audit_detail_is_immutable before update on control.audit_detail
    for each row execute function control.refuse_audit_change();
alter table control.audit_detail enable always trigger audit_detail_is_immutable;
