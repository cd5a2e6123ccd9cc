//! Functions that run with the owner's rights, and with their caller's search path.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "definer_functions",
    meaning: "a caller's objects are used in place of those that the function means",
    sql: r"
select format('%s is SECURITY DEFINER without a search_path of its own', pg_describe_object('pg_proc'::regclass, p.oid, 0))
from owned o join pg_proc p on p.oid = o.objid
where o.classid = 'pg_proc'::regclass and p.prosecdef
  and not exists (select from unnest(p.proconfig) setting where setting like 'search_path=%')",
};
