//! Rights that a blueprint gave away: compares the privileges of everything that the owner has with the allowed ones,
//! cheaply enough for each provisioning.
//!
//! The lint is an allow-list: the owner may have any right, and the tenant's other roles may read, write and call,
//! without grant option. Any other grantee of an existing object, or of objects that are made later, is a finding.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "given_away",
    meaning: "somebody else may use the tenant's objects",
    // A privilege's text is `grantee=letters/grantor`, with an empty grantee for PUBLIC; a `*` after a letter is the
    // grant option. By the server's default PUBLIC may use every type; only the lack of rights on the schema keeps others
    // from doing so.
    sql: r"
with acls as (
    select classid, objid, 0 as part, case classid
        when 'pg_class'::regclass then (select relacl from pg_class where oid = objid)
        when 'pg_proc'::regclass then (select coalesce(proacl, acldefault('f', proowner)) from pg_proc where oid = objid)
        when 'pg_type'::regclass then (select typacl from pg_type where oid = objid)
        when 'pg_namespace'::regclass then (select nspacl from pg_namespace where oid = objid)
        when 'pg_largeobject'::regclass then (select lomacl from pg_largeobject_metadata where oid = objid)
        when 'pg_default_acl'::regclass then (select defaclacl from pg_default_acl where oid = objid) end as acl
    from owned
    union all
    select classid, objid, attnum, attacl from owned join pg_attribute on attrelid = objid
    where classid = 'pg_class'::regclass and attacl is not null)
select format('%s is open to %s (%s)', pg_describe_object(classid, objid, part),
              case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end,
              string_agg(privilege_type || case when is_grantable then ' with grant option' else '' end, ', '
                         order by privilege_type))
from acls, aclexplode(acl)
where acl::text !~ '^.(,?{own}=[^/,]*/{own}|,?{own}_(app|a|b|probe)=[arwdUX]+/{own})*.$'
  and grantee <> to_regrole('{own}') and not (grantee = 0 and classid = 'pg_type'::regclass)
group by classid, objid, part, grantee
union all
select format('every function that %s makes later is open to PUBLIC', '{own}')
where '{own}' = '{home}' and not exists (
    select from pg_default_acl where defaclrole = to_regrole('{own}') and defaclnamespace = 0 and defaclobjtype = 'f')",
};
