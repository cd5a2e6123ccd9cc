//! What a tenant is made of: the folders of other tools, and files that run outside the transaction.

mod conventions;
mod outside;
