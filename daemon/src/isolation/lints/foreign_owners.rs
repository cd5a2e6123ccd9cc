//! Objects in the tenant's schema that have another owner.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "foreign_owners",
    meaning: "somebody else decides over objects of the tenant's schema",
    sql: r"
select format('%s belongs to %s', pg_describe_object(d.classid, d.objid, 0), pg_get_userbyid(owner))
from pg_depend d
cross join lateral (
    select relowner, relnamespace from pg_class where d.classid = 'pg_class'::regclass and oid = d.objid
    union all select proowner, pronamespace from pg_proc where d.classid = 'pg_proc'::regclass and oid = d.objid
    union all select typowner, typnamespace from pg_type where d.classid = 'pg_type'::regclass and oid = d.objid) o(owner, home)
where d.refclassid = 'pg_namespace'::regclass and d.refobjid = to_regnamespace('{own}')
  -- Others can feign that something of theirs depends on the schema.
  and home = d.refobjid and owner <> to_regrole('{own}')
union all
select format('schema %s belongs to %s', nspname, pg_get_userbyid(nspowner)) from pg_namespace
where nspname = '{own}' and nspowner <> to_regrole('{own}')",
};
