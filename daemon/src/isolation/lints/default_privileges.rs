//! Rights of others on the objects that the tenant will create, and functions that PUBLIC could call.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "default_privileges",
    meaning: "the tenant's future objects are open to others",
    sql: r"
select format('%s on its future objects (%s) to %s', a.privilege_type, d.defaclobjtype,
              case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee) end)
from ours r join pg_default_acl d on d.defaclrole = r.oid, aclexplode(d.defaclacl) a
where a.grantee not in (select oid from ours)
   or a.grantee <> r.oid and a.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES', 'CREATE')
union all
select format('EXECUTE on the future functions of %s to PUBLIC, as the server has it by default', '{own}')
where '{own}' = '{home}' and to_regrole('{own}') is not null and not exists (
    select from pg_default_acl
    where defaclrole = to_regrole('{own}') and defaclobjtype = 'f' and defaclnamespace = 0)",
};
