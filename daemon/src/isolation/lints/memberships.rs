//! Memberships of the tenant's roles in other roles, and of other roles in the tenant's.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "memberships",
    meaning: "a role of the tenant's is more than the tenant, or somebody else is the tenant",
    sql: r"
select format('%s is a member of %s', pg_get_userbyid(m.member), pg_get_userbyid(m.roleid))
from pg_auth_members m
left join ours inner_role on inner_role.oid = m.roleid
left join ours inner_member on inner_member.oid = m.member
where (inner_role.oid is not null or inner_member.oid is not null)
  and m.member <> to_regrole(quote_ident(current_user))
  and not coalesce(case inner_member.rolname
        when '{own}_app' then m.roleid = coalesce(to_regrole(nullif('{home}_app', '{own}_app')),
            to_regrole(quote_ident((select group_role from tenantry.target_identity))))
        when '{own}_dump' then inner_role.rolname in ('{own}', '{own}_app', '{own}_a', '{own}_b')
        when '{own}' then '{own}' <> '{home}' and inner_role.rolname = '{own}_app'
        else inner_member.oid is not null and inner_role.rolname = '{own}_app' end, false)",
};
