//! The server's configuration files, written again at each start.
//!
//! Invariant: the superuser can connect by peer authentication only, and everybody else by SCRAM only. TCP is limited to
//! loopback, and no statement is ever written to the server's log. Values are quoted here and nowhere else.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::account::OsUser;
use super::bootstrap::{CONTROL_DATABASE, DAEMON_ROLE, OWNER_ROLE, SUPERUSER};
use super::{ClusterOptions, Durability};

const INCLUDED: &str = "tenantry.conf";
const INCLUDE_LINE: &str = "include 'tenantry.conf'";
const HEADER: &str = "# Written by tenantryd at each start: changes are lost.\n";

/// Settings that never vary. `log_*`: a failing statement would be logged in full, with the verifiers in it. `lc_messages`:
/// the retry rules recognise one message by its English text. `min_wal_size`: two segments are enough for a laptop. The others
/// keep the server small, and its answers the same everywhere.
const FIXED: &str = "\
max_connections = 200
shared_buffers = '32MB'
min_wal_size = '32MB'
max_wal_size = '512MB'
jit = off
ssl = off
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] %q%u@%d '
log_statement = 'none'
log_min_duration_statement = -1
log_min_error_statement = 'panic'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
cluster_name = 'tenantry'
";

/// Reserved for the daemon's roles, whatever tenants take: as many connections as the daemon uses to the registry and to the
/// target, in addition to those that it always holds.
const RESERVED: &str = "reserved_connections = 20\n";

/// The content of the files, and a hash over all of it. The running server can be asked for the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerSettings {
    included: String,
    access: String,
    identities: String,
    pub(super) hash: String,
}

impl ServerSettings {
    pub(super) fn render(
        options: &ClusterOptions,
        major: u32,
        socket_dir: &str,
        administrators: &[String],
    ) -> Self {
        let main = main_settings(options, major, socket_dir);
        let access = access_rules(options.listen.is_some());
        let mut identities = HEADER.to_owned();
        for name in administrators {
            let _ = writeln!(identities, "bootstrap {} {SUPERUSER}", quote_rule(name));
        }
        let mut hash = Sha256::new();
        for part in [&main, &access, &identities] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hash = data_encoding::HEXLOWER.encode(&hash.finalize()[..16]);
        // The daemon asks for it before it reuses a running server, because a file on disk does not
        // prove what the server has read.
        let included = format!("{main}tenantry.configuration = '{hash}'\n");
        Self { included, access, identities, hash }
    }

    /// Writes the files that differ into the cluster's directory.
    pub(super) fn write(&self, data_dir: &Path, user: &OsUser, durability: Durability) -> io::Result<()> {
        let main = fs::read_to_string(data_dir.join("postgresql.conf"))?;
        let with_include;
        let main = if main.lines().any(|line| line == INCLUDE_LINE) {
            &main
        } else {
            with_include = format!("{main}\n# Last, so that it wins.\n{INCLUDE_LINE}\n");
            &with_include
        };
        let files = [
            ("postgresql.conf", main),
            (INCLUDED, &self.included),
            ("pg_hba.conf", &self.access),
            ("pg_ident.conf", &self.identities),
        ];
        for (name, content) in files {
            let path = data_dir.join(name);
            if fs::read_to_string(&path).is_ok_and(|old| old == *content) {
                continue;
            }
            replace_file(&path, content, user, durability)?;
        }
        match durability {
            Durability::Durable => File::open(data_dir)?.sync_all(),
            Durability::Fleeting => Ok(()),
        }
    }
}

/// Replaces an old file by a new one. The directory belongs to the cluster's user, who could have put a link there. So the new
/// file is created fresh (`O_EXCL` does not follow links) and then renamed.
fn replace_file(path: &Path, content: &str, user: &OsUser, durability: Durability) -> io::Result<()> {
    let fresh = path.with_extension("conf.new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    user.take(&file)?;
    file.write_all(content.as_bytes())?;
    if durability == Durability::Durable {
        file.sync_all()?;
    }
    fs::rename(&fresh, path)
}

fn main_settings(options: &ClusterOptions, major: u32, socket_dir: &str) -> String {
    let addresses = options.listen.map(|address| address.ip().to_string()).unwrap_or_default();
    let mut text = format!(
        "{HEADER}{FIXED}listen_addresses = {}\nport = {}\nunix_socket_directories = {}\n",
        quote(&addresses),
        options.port(),
        quote(&quote_list_item(socket_dir)),
    );
    if major >= 16 {
        text.push_str(RESERVED);
    }
    if options.durability() == Durability::Fleeting {
        // synchronous_commit stays on: a killed server must not forget a commit. Only a power failure may lose one.
        text.push_str("fsync = off\nfull_page_writes = off\n");
    }
    text
}

/// The access rules; the first match decides. Only the registry's two roles may connect to the registry. There is no rule for
/// replication, so nobody can replicate.
fn access_rules(tcp: bool) -> String {
    let mut text = format!(
        "{HEADER}\
         local all {SUPERUSER} peer map=bootstrap\n\
         local {CONTROL_DATABASE} {OWNER_ROLE},{DAEMON_ROLE} scram-sha-256\n\
         local {CONTROL_DATABASE} all reject\n\
         local all all scram-sha-256\n"
    );
    if tcp {
        for network in ["127.0.0.0/8", "::1/128"] {
            let _ = write!(
                text,
                "host all {SUPERUSER} {network} reject\n\
                 host {CONTROL_DATABASE} all {network} reject\n\
                 host all all {network} scram-sha-256\n"
            );
        }
    }
    text
}

/// A string in postgresql.conf. Quotes are doubled, and so are backslashes, because they are escape characters.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// One item of a list of directories, where commas and spaces separate the items.
fn quote_list_item(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A word in pg_hba.conf or pg_ident.conf. In quotes, a keyword loses its special meaning.
fn quote_rule(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_quoted_twice() {
        assert_eq!(quote(&quote_list_item(r#"/a b/c'd"e\f"#)), r#"'"/a b/c''d""e\\f"'"#);
    }

    #[test]
    fn without_an_address_there_is_no_rule_for_tcp() {
        assert!(!access_rules(false).contains("host"));
        let rules = access_rules(true);
        let superuser = rules.find("host all tenantry_bootstrap 127.0.0.0/8 reject");
        assert!(superuser < rules.find("host all all 127.0.0.0/8") && superuser.is_some());
    }
}
