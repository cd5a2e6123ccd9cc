//! How PostgreSQL's own programs log in.

use std::path::Path;

use sqlx::postgres::PgSslMode;
use tenantry_protocol::name::PlacementName;

use crate::postgres::secret::Password;
use crate::postgres::target::location::Site;
use crate::postgres::tenant_ddl;

/// Environment variables for the program.
pub type Login = Vec<(&'static str, String)>;

/// The login of PostgreSQL's own programs of this version as the tenant's archiver, by the same connection as [`Site::login`].
pub fn libpq_login(
    site: Site<'_>,
    placement: &PlacementName,
    password: &Password,
    program_major: u32,
) -> Login {
    let (host, port) = site.target.endpoint();
    let mut login = vec![
        ("PGHOST", host),
        ("PGPORT", port.to_string()),
        ("PGUSER", tenant_ddl::dump_role(placement)),
        ("PGPASSWORD", password.expose().to_owned()),
        ("PGDATABASE", site.database().to_owned()),
        ("PGAPPNAME", "tenantry-archive".to_owned()),
    ];
    let (mode, verifies) = match site.connection().get_ssl_mode() {
        PgSslMode::Disable => ("disable", false),
        PgSslMode::Allow => ("allow", false),
        PgSslMode::Prefer => ("prefer", false),
        PgSslMode::Require => ("require", false),
        PgSslMode::VerifyCa => ("verify-ca", true),
        PgSslMode::VerifyFull => ("verify-full", true),
    };
    login.push(("PGSSLMODE", mode.to_owned()));
    if verifies && let Some(root) = ssl_root(site.target.options().ssl_root.as_deref(), program_major) {
        login.push(("PGSSLROOTCERT", root));
    }
    login
}

/// The file of certificates. If none is named, it is the system's file, which libpq knows by the word
/// `system` from version 16 on.
fn ssl_root(named: Option<&Path>, program_major: u32) -> Option<String> {
    const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
    match named {
        Some(path) => Some(path.display().to_string()),
        None if program_major >= 16 => Some("system".to_owned()),
        None => BUNDLES.iter().find(|path| Path::new(path).exists()).map(|path| (*path).to_owned()),
    }
}
