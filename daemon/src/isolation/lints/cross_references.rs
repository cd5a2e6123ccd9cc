//! Objects of the tenant that depend on other owners' objects: through a reference, a type, a default, a trigger's
//! function, or any other dependency that the server records.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "cross_references",
    meaning: "the tenant reads or calls what belongs to others, who could change it, or cannot be removed",
    sql: r"
select distinct format('%s stands on %s', pg_describe_object(classid, objid, 0), pg_describe_object(refclassid, refobjid, 0))
from elsewhere
-- The table of another server has rights of its own, which other lints look at.
where refclassid <> 'pg_foreign_server'::regclass",
};
