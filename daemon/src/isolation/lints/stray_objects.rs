//! Objects of the tenant's roles outside its schema, and all objects that its logins own.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "stray_objects",
    meaning: "the tenant left objects where others use them, or where a removal might miss them",
    sql: r"
select format('%s belongs to %s', pg_describe_object(d.classid, d.objid, 0), d.rolname)
from held d
where d.deptype = 'o' and d.classid not in ('pg_largeobject'::regclass, 'pg_default_acl'::regclass)
  and (d.rolname <> '{own}' or not coalesce(
        case d.classid
            when 'pg_namespace'::regclass then d.objid = to_regnamespace('{own}')
            when 'pg_class'::regclass then (select relnamespace from pg_class where oid = d.objid) = to_regnamespace('{own}')
            when 'pg_proc'::regclass then (select pronamespace from pg_proc where oid = d.objid) = to_regnamespace('{own}')
            when 'pg_type'::regclass then (select typnamespace from pg_type where oid = d.objid) = to_regnamespace('{own}')
            when 'pg_event_trigger'::regclass then false when 'pg_publication'::regclass then false
            when 'pg_foreign_server'::regclass then false when 'pg_foreign_data_wrapper'::regclass then false
            when 'pg_language'::regclass then false when 'pg_extension'::regclass then false
            when 'pg_database'::regclass then false when 'pg_tablespace'::regclass then false
            else true end, false))",
};
