//! The peer at the other end of a connection, as the kernel identifies it.

use std::collections::BTreeMap;
use std::io;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::net::unix::UCred;

use crate::commands::Caller;

/// The peer with these credentials: the uid from the kernel, the groups from its account (the credentials hold only one
/// group). Blocks while the account is looked up.
pub(super) fn identify(credentials: UCred) -> io::Result<Caller> {
    let (uid, gid) = (credentials.uid(), credentials.gid());
    let account = User::from_uid(Uid::from_raw(uid)).map_err(io::Error::from)?;
    let mut gids = vec![gid];
    let mut name = uid.to_string();
    if let Some(account) = account {
        if let Ok(user) = std::ffi::CString::new(account.name.as_str()) {
            let groups = getgrouplist(&user, account.gid).map_err(io::Error::from)?;
            gids.extend(groups.into_iter().map(Gid::as_raw));
        }
        name = account.name;
    }
    gids.sort_unstable();
    gids.dedup();
    Ok(Caller { uid, gids, name, claimed: BTreeMap::new() })
}
