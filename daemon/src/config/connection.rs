//! A PostgreSQL server as the configuration names it, parsed from a URL, and the driver's options made from it.
//!
//! Invariant: every field of a connection is explicit, so that neither the environment (`PG*`, `~/.pgpass`) nor a
//! default of the driver decides where a password goes. `Debug` of the driver's options must not be derived or printed,
//! because it shows the password.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::secret::Secret;

const DEFAULT_PORT: u16 = 5432;
const APPLICATION_NAME: &str = "tenantryd";

/// The address of a server, the daemon's login there, and the protection of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    host: Host,
    port: u16,
    user: String,
    database: String,
    password: Option<Secret>,
    encryption: Encryption,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Name(String),
    SocketDir(PathBuf),
}

/// `sslmode` and `sslrootcert`, with the meaning that libpq gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Encryption {
    Disable,
    Prefer,
    Require,
    VerifyCa { root: PathBuf },
    VerifyFull { root: Option<PathBuf> },
}

/// Why a text is not the URL of a server. The URL is never shown, because it may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("is not a URL ({0}): write postgres://user@host:5432/database")]
    NotAUrl(#[source] url::ParseError),
    #[error("must begin with postgres:// or postgresql://")]
    Scheme,
    #[error("names no {0}: write postgres://user@host:5432/database")]
    Missing(&'static str),
    #[error("has a {0} that is not UTF-8 text without NUL once percent-decoded")]
    Undecodable(&'static str),
    #[error("names several hosts: name one (a failover name or a proxy in front of them)")]
    SeveralHosts,
    #[error("has the parameter '{0}', which is not known: sslmode and sslrootcert are allowed")]
    Parameter(String),
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    #[error("has an unknown sslmode: disable, prefer, require, verify-ca and verify-full are allowed")]
    SslMode,
    #[error("needs sslrootcert=/path/to/ca.pem with sslmode=verify-ca")]
    NoRoot,
    #[error("has an sslrootcert that is not an absolute path")]
    RelativeRoot,
    #[error("has an sslrootcert that sslmode does not use: set sslmode to verify-ca or verify-full")]
    UnusedRoot,
    #[error("holds a password, and password_file is given too: keep one of them (the file is better)")]
    TwoPasswords,
}

impl Connection {
    /// Parses `postgres://user@host:port/database?sslmode=…&sslrootcert=…`. A socket directory takes the place of the host,
    /// percent-encoded: `postgres://user@%2Frun%2Fpostgresql/database`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = Url::parse(text).map_err(UrlError::NotAUrl)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(UrlError::Scheme);
        }
        let host = decode(url.host_str().unwrap_or_default(), "host")?.into_owned();
        let port = url.port();
        let (mut mode, mut root) = (None, None);
        for (key, value) in url.query_pairs() {
            match &*key {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => root = Some(PathBuf::from(value.into_owned())),
                other => return Err(UrlError::Parameter(other.chars().take(40).collect())),
            }
        }
        if host.is_empty() {
            return Err(UrlError::Missing("host"));
        }
        if host.contains(',') {
            return Err(UrlError::SeveralHosts);
        }
        let host = if host.starts_with('/') {
            Host::SocketDir(host.into())
        } else {
            // An IPv6 address has brackets in a URL and nowhere else.
            Host::Name(host.trim_start_matches('[').trim_end_matches(']').to_owned())
        };
        let port = port.unwrap_or(DEFAULT_PORT);
        if port == 0 {
            return Err(UrlError::Port);
        }
        let user = decode(url.username(), "user")?.into_owned();
        let database = decode(url.path().trim_start_matches('/'), "database")?.into_owned();
        for (part, text) in [("user", &user), ("database", &database)] {
            if text.is_empty() {
                return Err(UrlError::Missing(part));
            }
        }
        let password = url.password().map(|text| decode(text, "password")).transpose()?;
        let password = password.map(|text| Secret::new(text.into_owned()));
        let encryption = Encryption::parse(mode.as_deref(), root, &host)?;
        Ok(Self { host, port, user, database, password, encryption })
    }

    /// The same connection with a password from a file. It is an error if the URL has a password already.
    pub fn with_password(self, password: Option<Secret>) -> Result<Self, UrlError> {
        match (self.password.is_some(), password) {
            (true, Some(_)) => Err(UrlError::TwoPasswords),
            (_, None) => Ok(self),
            (false, password) => Ok(Self { password, ..self }),
        }
    }

    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// The server's address without user or password: `db1.example:5432/app`.
    pub fn address(&self) -> String {
        match &self.host {
            Host::Name(name) if name.contains(':') => format!("[{name}]:{}/{}", self.port, self.database),
            Host::Name(name) => format!("{name}:{}/{}", self.port, self.database),
            Host::SocketDir(dir) => format!("{}:{}/{}", dir.display(), self.port, self.database),
        }
    }

    /// The certificates that vouch for the server, if the URL names them.
    pub fn ssl_root(&self) -> Option<&Path> {
        match &self.encryption {
            Encryption::VerifyCa { root } | Encryption::VerifyFull { root: Some(root) } => Some(root),
            _ => None,
        }
    }

    /// The driver's options. Statements are not logged, because some of them contain verifiers.
    pub fn options(&self) -> PgConnectOptions {
        let password = self.password.as_ref().map_or("", Secret::expose);
        let options = match &self.host {
            Host::Name(name) => explicit_options(&self.user, password, &self.database).host(name),
            Host::SocketDir(dir) => {
                return socket_options(dir, self.port, &self.user, password, &self.database);
            }
        };
        self.encryption.apply(options.port(self.port))
    }
}

/// Options for a server behind a socket directory. Nothing is left to the environment.
pub fn socket_options(dir: &Path, port: u16, user: &str, password: &str, database: &str) -> PgConnectOptions {
    explicit_options(user, password, database).socket(dir).port(port).ssl_mode(PgSslMode::Disable)
}

/// Sets each field that the driver would fill from the environment, except those of [`crate::ambient::VARIABLES`].
fn explicit_options(user: &str, password: &str, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("localhost")
        .port(DEFAULT_PORT)
        .username(user)
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Disable)
        .application_name(APPLICATION_NAME)
        .disable_statement_logging()
}

impl Encryption {
    fn parse(mode: Option<&str>, root: Option<PathBuf>, host: &Host) -> Result<Self, UrlError> {
        if root.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err(UrlError::RelativeRoot);
        }
        // libpq's `prefer` silently falls back to clear text. That is acceptable on this machine only.
        let local = match host {
            Host::SocketDir(_) => true,
            Host::Name(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
        };
        match (mode, root) {
            (Some("verify-full"), root) => Ok(Self::VerifyFull { root }),
            (Some("verify-ca"), Some(root)) => Ok(Self::VerifyCa { root }),
            (Some("verify-ca"), None) => Err(UrlError::NoRoot),
            (None, Some(root)) => Ok(Self::VerifyFull { root: Some(root) }),
            (Some(_), Some(_)) => Err(UrlError::UnusedRoot),
            (Some("disable"), None) => Ok(Self::Disable),
            (Some("prefer"), None) => Ok(Self::Prefer),
            (Some("require"), None) => Ok(Self::Require),
            (Some(_), None) => Err(UrlError::SslMode),
            (None, None) if local => Ok(Self::Prefer),
            (None, None) => Ok(Self::Require),
        }
    }

    fn apply(&self, options: PgConnectOptions) -> PgConnectOptions {
        match self {
            Self::Disable => options.ssl_mode(PgSslMode::Disable),
            Self::Prefer => options.ssl_mode(PgSslMode::Prefer),
            Self::Require => options.ssl_mode(PgSslMode::Require),
            Self::VerifyCa { root } => options.ssl_mode(PgSslMode::VerifyCa).ssl_root_cert(root),
            Self::VerifyFull { root: Some(root) } => {
                options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(root)
            }
            Self::VerifyFull { root: None } => options.ssl_mode(PgSslMode::VerifyFull),
        }
    }
}

fn decode<'a>(text: &'a str, part: &'static str) -> Result<Cow<'a, str>, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| UrlError::Undecodable(part))?;
    if decoded.contains('\0') { Err(UrlError::Undecodable(part)) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_becomes_explicit_options() {
        let url = "postgres://prov%40x:p%2Fw@db1.example:6543/app?sslmode=verify-full&sslrootcert=/ca.pem";
        let connection = Connection::parse(url).unwrap();
        let options = connection.options();
        assert_eq!(options.get_host(), "db1.example");
        assert_eq!(options.get_port(), 6543);
        assert_eq!(options.get_username(), "prov@x");
        assert_eq!(options.get_database(), Some("app"));
        assert_eq!(options.get_application_name(), Some("tenantryd"));
        assert!(options.get_socket().is_none());
        assert!(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull));
        assert_eq!(connection.address(), "db1.example:6543/app");
        assert!(!format!("{connection:?}").contains("p/w"));
    }

    #[test]
    fn encryption_is_demanded_of_other_machines_only() {
        let mode = |url| Connection::parse(url).unwrap().options().get_ssl_mode();
        assert!(matches!(mode("postgres://u@localhost/d"), PgSslMode::Prefer));
        assert!(matches!(mode("postgres://u@[::1]/d"), PgSslMode::Prefer));
        assert!(matches!(mode("postgres://u@db.example/d"), PgSslMode::Require));
        assert!(matches!(mode("postgres://u@db.example/d?sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@db.example/d?sslrootcert=/ca"), PgSslMode::VerifyFull));
    }

    #[test]
    fn a_socket_directory_is_a_host() {
        let connection = Connection::parse("postgres://u@%2Frun%2Fpg:5433/d").unwrap();
        assert_eq!(connection.options().get_socket().unwrap(), Path::new("/run/pg"));
        assert_eq!(connection.address(), "/run/pg:5433/d");
        assert!(matches!(connection.options().get_ssl_mode(), PgSslMode::Disable));
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_the_url() {
        let check = |url: &str, wanted: &str| {
            let message = Connection::parse(url).unwrap_err().to_string();
            assert!(message.contains(wanted), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        };
        check("hunter2", "not a URL");
        check("mysql://u:hunter2@h/d", "must begin with postgres://");
        check("postgres://u:hunter2@h", "names no database");
        check("postgres://:hunter2@h/d", "names no user");
        check("postgres://u:hunter2@h:0/d", "port");
        check("postgres://u:hunter2@h/d?sslmode=maybe", "unknown sslmode");
        check("postgres://u:hunter2@h/d?sslmode=verify-ca", "needs sslrootcert");
        check("postgres://u:hunter2@h/d?sslmode=require&sslrootcert=/ca", "does not use");
        check("postgres://u:hunter2@h/d?options=-crole%3Dx", "'options'");
        check("postgres://u:hunter2@a,b/d", "several hosts");
        check("postgres://u:%ff@h/d", "password");
    }

    #[test]
    fn two_passwords_are_one_too_many() {
        let connection = Connection::parse("postgres://u:a@h/d").unwrap();
        assert_eq!(connection.with_password(Some(Secret::new("b"))), Err(UrlError::TwoPasswords));
    }
}
