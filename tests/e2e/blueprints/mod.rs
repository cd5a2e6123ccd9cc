//! What tenants are made from: the folders of other tools, and files that run outside the transaction.

mod conventions;
mod extensions;
mod init;
mod one_transaction;
mod outside;
mod temporary_tables;
mod together;
mod trial;
