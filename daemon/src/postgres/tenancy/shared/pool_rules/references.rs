//! What the pool stands on: itself, PostgreSQL, extensions and what the daemon gives, and nobody else's objects. Whoever owns
//! those could change them later, and what they then do would run inside the pool; with them the pool's columns would go.

/// A query each, which gives a sentence for everything that it finds.
pub(super) const RULES: &[&str] = &[
    "select format('%s stands on %s, whose owner could change it or drop it: make one among the shared tables instead',
            replace(pg_describe_object(classid, objid, objsubid), $1 || '.', ''), pg_describe_object(refclassid, refobjid, 0))
     from elsewhere
     -- The daemon's policy asks who the tenant is; `cover` sees to it that it is the daemon's.
     where not (classid = 'pg_policy'::regclass and refclassid = 'pg_class'::regclass
                and refobjid = 'tenantry.pool_member'::regclass)",
];
