//! The initial state of each cluster of a version. Copying it takes a tenth of the time of making it.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::unistd::{Uid, User};

use super::{SUPERUSER, Version, open_folder, run, server_program, server_user};
use crate::binaries;
use crate::reaper::Reaper;

/// Made once per process, and removed with it.
#[derive(Debug)]
pub(super) struct Original {
    /// The server's programs, in a place where its user can read them: a checkout may lie in a folder that is closed to
    /// that user.
    pub(super) bin: PathBuf,
    data: PathBuf,
    _reaper: Reaper,
}

impl Original {
    pub(super) fn of(version: Version) -> &'static Self {
        static PACKAGED: OnceLock<Original> = OnceLock::new();
        static V18: OnceLock<Original> = OnceLock::new();
        match version {
            Version::Packaged => PACKAGED.get_or_init(|| Self::make(version)),
            Version::V18 => V18.get_or_init(|| Self::make(version)),
        }
    }

    fn make(version: Version) -> Self {
        let base = open_folder();
        let data = base.join("data");
        let reaper = Reaper::watch(&data, &base);
        let bin = readable_bin(version, &base);
        if let Some(user) = server_user() {
            chown(&base, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        run(server_program(&bin, "initdb").arg("-D").arg(&data).args([
            "--username",
            SUPERUSER,
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            "--no-sync",
            "--no-instructions",
            "--auth-local=peer",
            "--auth-host=reject",
        ]));
        let me = User::from_uid(Uid::effective()).unwrap().expect("the user of this process has a name").name;
        let write = |name: &str, text: String| std::fs::write(data.join(name), text).unwrap();
        write("pg_hba.conf", format!("local all {SUPERUSER} peer map=tests\nlocal all all scram-sha-256\n"));
        write("pg_ident.conf", format!("tests {me} {SUPERUSER}\n"));
        Self { bin, data, _reaper: reaper }
    }

    pub(super) fn copy(&self, data: &Path) {
        run(Command::new("cp").arg("-a").arg(&self.data).arg(data));
    }
}

fn readable_bin(version: Version, base: &Path) -> PathBuf {
    let bin = binaries::server_bin(version);
    if version == Version::Packaged || server_user().is_none() {
        return bin;
    }
    run(Command::new("cp").arg("-a").arg(bin.parent().unwrap()).arg(base.join("server")));
    base.join("server/bin")
}
