//! Settings of the tenant's roles that change who they are or what they call, or remove a limit.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "role_settings",
    meaning: "the tenant's sessions begin as somebody else, with other code, on another tenant's objects, or without bounds",
    sql: r"
select format('%s sets %s', r.rolname, setting)
from ours r join pg_db_role_setting s on s.setrole = r.oid, unnest(s.setconfig) setting
where setting ~ '^(role|session_authorization|session_replication_role|session_preload_libraries|local_preload_libraries|row_security)='
   or setting = 'temp_file_limit=-1'
   or setting ~ '^search_path=' and replace(replace(setting, '{own}', ''), '{home}', '') ~ '\mt_[a-z2-7]{13}\M'",
};
