//! Who is at the other end of a connection, as the kernel says.

use std::collections::BTreeMap;
use std::io;

use nix::unistd::{Gid, Uid, User, getgrouplist};
use tokio::net::UnixStream;

use crate::commands::Caller;

/// The peer of `stream`: uid by the kernel, groups by its account (the socket's own credentials hold only one group).
pub(super) fn identify(stream: &UnixStream) -> io::Result<Caller> {
    let credentials = stream.peer_cred()?;
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
