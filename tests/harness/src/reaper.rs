//! Removes what a test process leaves behind, even if it is killed: a shell that waits for the end of its input.
//!
//! Only the test process holds the write end of that input (close-on-exec), so the kernel closes it in any case.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Ends the server of `data_dir`, if one runs, and removes `base`, when dropped or when this process ends.
#[derive(Debug)]
pub struct Reaper(Child);

const SCRIPT: &str = r#"
trap '' INT TERM HUP
read -r _
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -QUIT "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
rm -rf "$2"
"#;

impl Reaper {
    pub fn watch(data_dir: &Path, base: &Path) -> Self {
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "reaper"])
            .args([data_dir, base])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in the terminal is meant for the tests; the reaper cleans up after them.
            .process_group(0)
            .spawn()
            .expect("sh can be run");
        Self(child)
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("the reaper ends by itself");
    }
}
