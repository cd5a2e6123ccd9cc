-- The entries of one account, transaction by transaction. This is the largest table, and shared tables are changed in one
-- transaction: whoever writes waits for the index, and the upgrade makes way for those who wait. It is for a quiet hour.
create index entries_account_transaction_idx on entries (tenant_id, account_id, transaction_id);
