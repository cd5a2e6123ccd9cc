//! Groups that hold one user alone. Many systems give each user one of the same name, and leave what is made open to it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};

/// Every account that this machine itself knows; a group's own list has only those that it is not the first group of.
const ACCOUNTS: &str = "/etc/passwd";
/// Where rights of single users are kept. They show as rights of the group.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Whether the rights of its group are those of its owner alone.
pub(super) fn is_private_group(path: &Path, metadata: &Metadata) -> bool {
    let gid = Gid::from_raw(metadata.gid());
    let (Ok(Some(group)), Ok(Some(user))) =
        (Group::from_gid(gid), User::from_uid(Uid::from_raw(metadata.uid())))
    else {
        return false;
    };
    user.gid == gid
        && user.name == group.name
        && group.mem.iter().all(|member| *member == user.name)
        && fs::read_to_string(ACCOUNTS).is_ok_and(|accounts| is_first_group_of(&accounts, gid, &user.name))
        && !has_access_list(path)
}

/// Whether nobody but `name` has this as the first group.
fn is_first_group_of(accounts: &str, gid: Gid, name: &str) -> bool {
    let mut others = accounts.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, fields.nth(2)?.parse::<u32>().ok()?))
    });
    others.all(|(other, first)| other == name || first != gid.as_raw())
}

fn has_access_list(path: &Path) -> bool {
    // Without a list, or on a file system that knows of none, there is nothing to read.
    let mut nothing = [0_u8; 0];
    rustix::fs::lgetxattr(path, ACCESS_LIST, &mut nothing[..]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_somebody_elses_first_one_is_not_private() {
        let alone = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert!(is_first_group_of(alone, Gid::from_raw(1000), "alice"));
        let joined = format!("{alone}mallory:x:1003:1000::/home/mallory:/bin/sh\n");
        assert!(!is_first_group_of(&joined, Gid::from_raw(1000), "alice"));
        assert!(is_first_group_of(&joined, Gid::from_raw(0), "root"));
    }
}
