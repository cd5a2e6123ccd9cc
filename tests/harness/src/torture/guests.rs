//! Who else is present while an operation is broken: the tenant's own application, and other tenants.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::task::JoinHandle;

use super::registry;
use super::request::{self, Scenario};
use crate::Env;

/// The sessions end when this is dropped.
#[derive(Debug)]
pub struct Guests {
    _sessions: Vec<PgConnection>,
    busy: JoinHandle<()>,
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.busy.abort();
    }
}

/// Sessions of a tenant's application: one that does nothing, one that is busy, and one in a transaction that holds a lock
/// on what is to be dropped.
pub async fn settle_in(env: &Env, slug: &str) -> Guests {
    let placement = registry::placement(env, slug).await.unwrap();
    let login = format!("{placement}_a");
    let mut superuser = env.cluster.options("postgres").connect().await.unwrap();
    let verifier: String = sqlx::query_scalar("select rolpassword from pg_authid where rolname = $1")
        .bind(&login)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    set_password(&mut superuser, &login, "guest").await;
    let options = env.cluster.options(&env.target_db).username(&login).password("guest");
    let mut sessions = Vec::new();
    for work in [None, Some("begin; insert into first (name) values ('ours')")] {
        let mut session = options.clone().connect().await.unwrap();
        if let Some(work) = work {
            sqlx::raw_sql(work).execute(&mut session).await.unwrap();
        }
        sessions.push(session);
    }
    let mut busy = options.connect().await.unwrap();
    // The sessions are open, so the tenant's own secret is restored, for an operation that leaves everything unchanged.
    set_password(&mut superuser, &login, &verifier).await;
    superuser.close().await.unwrap();
    // It ends with its session and with an error, as intended.
    const BUSY: &str = "set client_connection_check_interval = '50ms'; select pg_sleep(600)";
    let busy = tokio::spawn(async move { _ = sqlx::raw_sql(BUSY).execute(&mut busy).await });
    Guests { _sessions: sessions, busy }
}

/// A password, or the verifier of one.
async fn set_password(superuser: &mut PgConnection, login: &str, password: &str) {
    let sql = format!("alter role {login} password '{password}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(superuser).await.unwrap();
}

/// Requests that many other tenants at once; returns their names. Whether each request got through is seen later.
pub fn invite(socket: &Path, slug: &str, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("{slug}-guest-{number}")).collect();
    for name in names.clone() {
        let socket = socket.to_owned();
        tokio::spawn(async move { request::send(&socket, Scenario::Provision, &name, &name).await.err() });
    }
    names
}
