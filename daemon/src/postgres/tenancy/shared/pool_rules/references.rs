//! What a pool may depend on: itself, PostgreSQL, extensions and what the daemon provides, but no objects of others.
//! The owner of such an object could change it later, and the new code would run inside the pool. Dropping it would
//! drop columns of the pool, too.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('%s stands on %s, whose owner could change it or drop it: make one among the shared tables instead',
            replace(pg_describe_object(classid, objid, objsubid), $1 || '.', ''), pg_describe_object(refclassid, refobjid, 0))
     from elsewhere
     -- The daemon's policy asks who the tenant is; `cover` sees to it that it is the daemon's.
     where not (classid = 'pg_policy'::regclass and refclassid = 'pg_class'::regclass
                and refobjid = 'tenantry.pool_member'::regclass)",
];
