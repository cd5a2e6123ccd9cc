//! Functions that run with the owner's rights, and with their caller's search path.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "definer_functions",
    meaning: "a caller's objects are used in place of those that the function means",
    sql: r"
with owned as materialized (select d.classid, d.objid from pg_shdepend d
    where d.refclassid = 'pg_authid'::regclass and d.refobjid = to_regrole('{own}') and d.deptype = 'o'
      and d.dbid = (select oid from pg_database where datname = current_database()))
select format('%s is SECURITY DEFINER without a search_path of its own', pg_describe_object('pg_proc'::regclass, p.oid, 0))
from owned o join pg_proc p on p.oid = o.objid
where o.classid = 'pg_proc'::regclass and p.prosecdef
  and not exists (select from unnest(p.proconfig) setting where setting like 'search_path=%')",
};
