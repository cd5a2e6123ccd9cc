//! User mappings, the logins at other servers, that exist for the tenant or for PUBLIC.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "user_mappings",
    meaning: "the tenant reaches another server as somebody else",
    sql: r"
select format('%s reaches server %s', case umuser when 0 then 'PUBLIC' else usename end, srvname)
from pg_user_mappings
where umuser = 0 or usename in ('{own}', '{own}_app', '{own}_a', '{own}_b', '{own}_probe')",
};
