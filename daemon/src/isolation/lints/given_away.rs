//! What a blueprint gave away of the tenant's own: the part of `foreign_grants` that is cheap enough for each provisioning.
//!
//! PUBLIC is in no dependency, and stands in the text of the privileges (`{=r/owner,…}`) without a name; everybody else is in
//! them.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "given_away",
    meaning: "somebody else may use the tenant's objects",
    sql: r#"
with owned as materialized (select d.classid, d.objid from pg_shdepend d
    where d.refclassid = 'pg_authid'::regclass and d.refobjid = to_regrole('{own}') and d.deptype = 'o'
      and d.dbid = (select oid from pg_database where datname = current_database()))
select format('%s is open to %s', pg_describe_object(classid, objid, part), grantee) from (
    select classid, objid, 0 as part, 'PUBLIC' as grantee from owned join pg_class c on c.oid = objid
    where classid = 'pg_class'::regclass and relacl is not null and relacl::text ~ '(^.|,)"?='
    union all
    select classid, objid, attnum, 'PUBLIC' from owned join pg_attribute on attrelid = objid
    where classid = 'pg_class'::regclass and attacl is not null and attacl::text ~ '(^.|,)"?='
    union all
    select classid, objid, 0, 'PUBLIC' from owned join pg_proc p on p.oid = objid
    where classid = 'pg_proc'::regclass and (proacl is null or proacl::text ~ '(^.|,)"?=')
    union all
    select 'pg_namespace'::regclass, oid, 0, 'PUBLIC' from pg_namespace
    where nspname = '{own}' and nspacl::text ~ '(^.|,)"?='
    union all
    select a.classid, a.objid, a.objsubid, pg_get_userbyid(a.refobjid) from owned join pg_shdepend a using (classid, objid)
    where a.dbid = (select oid from pg_database where datname = current_database()) and a.deptype = 'a'
      and a.refobjid not in (select oid from pg_roles where rolname in ('{own}_app', '{own}_a', '{own}_b', '{own}_probe'))
      and a.refobjid <> to_regrole(quote_ident(current_user))) found"#,
};
