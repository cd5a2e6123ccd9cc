//! A file system of a few megabytes for one program, which it alone sees (in a mount namespace), so that nothing stays
//! mounted. Mounting requires root, a user namespace if the system allows them, or sudo.

use std::path::Path;

use tokio::process::Command;

use super::cli::run;
use super::scratch::Scratch;

/// Runs `program`, with any arguments that are added, on a disk of this size at the scratch's `disk`.
pub async fn command(scratch: &Scratch, size: &str, program: &Path) -> Command {
    scratch.make_dir("disk");
    let mount = format!("mount -t tmpfs -o size={size},mode=1777 tmpfs {}", scratch.text("disk"));
    mounting(&mount, &scratch.text(""), program).await
}

/// Runs `program`, with any arguments that are added, after `mount` in a mount namespace of its own.
pub async fn mounting(mount: &str, home: &str, program: &Path) -> Command {
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let program = format!("{} \"$@\"", program.display());
    let mut command = Command::new("unshare");
    let script = if uid.is_root() {
        command.arg("--mount");
        format!("{mount} && exec {program}")
    } else if has_user_namespaces().await {
        command.args(["--map-root-user", "--mount"]);
        format!("{mount} && exec unshare --user --map-user={uid} --map-group={gid} {program}")
    } else {
        command = Command::new("sudo");
        command.args(["-n", "unshare", "--mount"]);
        let back = format!("setpriv --reuid={uid} --regid={gid} --clear-groups env HOME={home}");
        format!("{mount} && exec {back} {program}")
    };
    command.args(["sh", "-c", &script, "small-disk"]);
    command
}

async fn has_user_namespaces() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--map-root-user", "--mount", "true"]);
    run(probe).await.status == 0
}
