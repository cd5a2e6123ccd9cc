-- Statements that cannot be in a transaction, so that a daemon that takes an operation up knows how far they came.

-- One row for each statement of the file that is at work: written before it runs, and marked when it has. The rows go when
-- the file's own row is written to the history. One that is begun and not done may have left something half-made.
create table tenantry.outside_statement (
    placement text not null,
    -- The file's, as in the history.
    position integer not null,
    -- From 0 within the file.
    statement integer not null,
    begun_at timestamptz not null default clock_timestamp(),
    done_at timestamptz,
    constraint outside_statement_pk primary key (placement, position, statement)
);
