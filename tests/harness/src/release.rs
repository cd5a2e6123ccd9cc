//! An installation as an earlier build left it, with its databases, its state directory and its tenants.
//!
//! A folder of `tests/fixtures` is named after a version and the numbers of its newest migrations. It was written once, by that
//! build, and never changes. It holds what `pg_dumpall` gives of the cluster, what was in the daemon's state directory, and what
//! the tenants were.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use tenantry_protocol::tenant::Credentials;

use super::binaries::{self, project_dir, server_bin};
use super::cluster::SUPERUSER;
use super::{Cluster, Env, Version};

/// What a release's installation was.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Each tenant, in the order in which they were made.
    pub tenants: Vec<Standing>,
    /// The provision that ran when the daemon was killed.
    pub interrupted: String,
}

/// A tenant and what it was.
#[derive(Debug, Serialize, Deserialize)]
pub struct Standing {
    pub slug: String,
    pub blueprint: String,
    pub state: String,
    /// What its application logged in with. They open nothing but a copy of this installation.
    pub credentials: Credentials,
}

/// A release, by its folder.
#[derive(Debug)]
pub struct Release {
    dir: PathBuf,
}

impl Release {
    /// Those whose installations are kept, oldest first.
    pub fn all() -> Vec<Self> {
        let mut dirs: Vec<PathBuf> = std::fs::read_dir(folder())
            .expect("tests/fixtures can be read")
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        dirs.sort();
        dirs.into_iter().map(|dir| Self { dir }).collect()
    }

    /// Keeps an installation whose daemon has ended as that of this build. The first that is kept stays.
    pub async fn keep(env: &Env, manifest: &Manifest) -> Self {
        let this = Self { dir: folder().join(name(env).await) };
        assert!(!this.dir.exists(), "{} is there, and what a release left never changes", this.dir.display());
        std::fs::create_dir_all(&this.dir).unwrap();
        shell(&env.dir, "tar --create --gzip --file \"$0/state.tar.gz\" state", &this.dir);
        this.dump(env);
        let checksums =
            "sha256sum migrations/control_plane/*.sql migrations/target/*.sql >\"$0/migrations.sha256\"";
        shell(&project_dir(), checksums, &this.dir);
        let text = serde_json::to_string_pretty(manifest).unwrap() + "\n";
        std::fs::write(this.dir.join("manifest.json"), text).unwrap();
        this
    }

    fn dump(&self, env: &Env) {
        let mut dump = Command::new(server_bin(Version::Packaged).join("pg_dumpall"))
            .args(["--username", SUPERUSER, "--database", "postgres", "--host"])
            .arg(env.cluster.socket_dir())
            .stdout(Stdio::piped())
            .spawn()
            .expect("pg_dumpall can be run");
        // Each cluster has the superuser already. Who granted a membership is left out, as newer versions of pg_dumpall do.
        let kept = format!(
            "sed --regexp-extended '/^CREATE ROLE {SUPERUSER};/d; s/^(GRANT .*) GRANTED BY [a-z0-9_]+;$/\\1;/' |
             gzip --best >\"$0/cluster.sql.gz\""
        );
        let status =
            Command::new("sh").args(["-c", &kept]).arg(&self.dir).stdin(dump.stdout.take().unwrap()).status();
        assert!(status.unwrap().success() && dump.wait().unwrap().success(), "the cluster cannot be dumped");
    }

    pub fn manifest(&self) -> Manifest {
        let text = std::fs::read_to_string(self.dir.join("manifest.json")).unwrap();
        serde_json::from_str(&text).expect("the manifest of a release")
    }

    /// Panics with the names of our own migrations that it had and that are not as they were.
    pub fn assert_migrations_stand(&self) {
        shell(&project_dir(), "sha256sum --check --quiet \"$0/migrations.sha256\"", &self.dir);
    }

    /// Its installation on a new cluster of that version. No daemon runs yet.
    pub async fn restore(&self, version: Version) -> Env {
        let env = Env::unmade(Cluster::private(version));
        let load = "gzip --decompress --stdout \"$0/cluster.sql.gz\" | \"$1\" --no-psqlrc --quiet --output /dev/null \
                    --set ON_ERROR_STOP=1 --username \"$2\" --dbname postgres --host \"$3\"";
        let status = Command::new("sh")
            .args(["-c", load])
            .arg(&self.dir)
            .arg(binaries::psql())
            .arg(SUPERUSER)
            .arg(env.cluster.socket_dir())
            .status();
        assert!(status.unwrap().success(), "{} cannot be loaded", self.dir.display());
        if version == Version::V18 {
            env.cluster.execute("postgres", may_manage(&env)).await;
        }
        shell(
            &env.dir,
            "tar --extract --no-same-owner --same-permissions --file \"$0/state.tar.gz\"",
            &self.dir,
        );
        env.write_config("", &[("local", env.target_url())]);
        env
    }
}

/// On 16 and newer, a role that creates another may manage it. Roles of a server that was upgraded from 15 lack that, and its
/// administrator grants it.
fn may_manage(env: &Env) -> String {
    let Env { control_owner, control_role, provisioner, .. } = env;
    format!(
        "do $$ declare r name; begin
             for r in select rolname from pg_roles where rolname !~ '^pg_'
                 and rolname not in ('{SUPERUSER}', '{control_owner}', '{control_role}', '{provisioner}') loop
                 execute format('grant %I to {provisioner} with admin true, inherit false, set false', r);
             end loop;
         end $$"
    )
}

/// `0.1.0-control9-target8`
async fn name(env: &Env) -> String {
    let newest = async |database: &str, schema: &str| -> i32 {
        let sql = format!("select max(number) from {schema}.schema_version");
        let mut connection = env.cluster.superuser(database).await;
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    };
    let control = newest(&env.control_db, "control").await;
    let target = newest(&env.target_db, "tenantry").await;
    format!("{}-control{control}-target{target}", env!("CARGO_PKG_VERSION"))
}

fn folder() -> PathBuf {
    project_dir().join("tests/fixtures")
}

/// Runs a line with a folder as its `$0`.
fn shell(at: &Path, line: &str, folder: &Path) {
    let status = Command::new("sh").args(["-c", line]).arg(folder).current_dir(at).status();
    assert!(status.unwrap().success(), "{line}");
}
