//! What tenants' own databases are made from: a template with our bookkeeping, closed to everyone, and the canary database
//! that such tenants attack. Made when the first of them needs it.
//!
//! Invariants: a row of the target's is locked meanwhile, so that two daemons do not make it at once; a database is a
//! template only when it is whole, and what is half-made is dropped. What an administrator put into template1 (extensions,
//! closed functions) is in each tenant's database too; what is put into the template stays there when a newer build makes
//! its own.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

use crate::postgres::canary::database::{self, CanaryDatabase};
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::execute::execute;
use crate::postgres::quote::{Value, render};
use crate::postgres::schema;
use crate::postgres::target::{Ready, Target};

/// How long to wait for somebody else's attempt to prepare it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of it; made once, kept after.
#[derive(Debug, Default)]
pub struct Databases {
    known: RwLock<Option<Arc<Prepared>>>,
    preparing: Mutex<()>,
}

/// What a target has for tenants with databases of their own.
#[derive(Debug)]
pub struct Prepared {
    /// The template's name.
    pub template: String,
    pub canary: CanaryDatabase,
}

impl Databases {
    pub fn forget(&self) {
        self.know(None);
    }

    fn know(&self, prepared: Option<Arc<Prepared>>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = prepared;
    }

    fn known(&self) -> Option<Arc<Prepared>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The template and the canary, made if they are missing.
pub async fn prepared(target: &Target, ready: &Ready) -> Result<Arc<Prepared>> {
    let databases = target.databases();
    if let Some(known) = databases.known() {
        return Ok(known);
    }
    let turn = tokio::time::timeout(PATIENCE, databases.preparing.lock()).await;
    let _turn = turn.map_err(|_| doing("prepare for databases")(sqlx::Error::PoolTimedOut))?;
    if let Some(known) = databases.known() {
        return Ok(known);
    }
    let made = Arc::new(Box::pin(prepare(target, ready)).await?);
    databases.know(Some(Arc::clone(&made)));
    Ok(made)
}

/// Which of `wanted` extensions the template does not have, and its name.
pub async fn missing_extensions(
    target: &Target,
    ready: &Ready,
    wanted: &[String],
) -> Result<(String, Vec<String>)> {
    let template = prepared(target, ready).await?.template.clone();
    let mut connection = target.connect_to(&template).await?;
    let missing = crate::postgres::target::check::missing_extensions(&mut connection, wanted).await;
    connection.close().await.ok();
    Ok((template, missing?))
}

async fn prepare(target: &Target, ready: &Ready) -> Result<Prepared> {
    // One of its own: what is prepared meanwhile takes its connections from the pool, which may be small.
    let mut connection = target.connect_to(target.database()).await?;
    let mut turn = connection.begin().await.map_err(doing("begin to prepare for databases"))?;
    execute(
        &mut turn,
        "select from tenantry.target_identity for update".to_owned(),
        "wait for the turn to prepare",
    )
    .await?;
    let template = ensure_template(target, ready).await?;
    let canary = database::ensure(target, ready, &template).await?;
    turn.commit().await.map_err(doing("end the turn to prepare"))?;
    connection.close().await.ok();
    Ok(Prepared { template, canary })
}

/// The names of this target's templates begin so; what follows is the number of the bookkeeping that is in it.
fn family(ready: &Ready) -> String {
    format!("tenantry_template_{}_", ready.group.trim_start_matches("tenantry_g_"))
}

/// The template that is there, if one is; none is made.
pub async fn standing(connection: &mut PgConnection, ready: &Ready) -> Result<Option<String>> {
    sqlx::query_scalar(
        "select datname::text from pg_database where starts_with(datname, $1) and datistemplate and datallowconn
         order by oid desc limit 1",
    )
    .bind(family(ready))
    .fetch_optional(connection)
    .await
    .map_err(doing("look for the template"))
}

/// The one of this build's bookkeeping, on this target: a cluster can hold several.
async fn ensure_template(target: &Target, ready: &Ready) -> Result<String> {
    let family = family(ready);
    let name = format!("{family}{}", schema::TARGET.newest());
    let mut connection = target.acquire().await?;
    let found: Vec<(String, bool)> = sqlx::query_as(
        "select datname::text, datistemplate from pg_database where starts_with(datname, $1) order by oid desc",
    )
    .bind(&family)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for the template"))?;
    if found.contains(&(name.clone(), true)) {
        return Ok(name);
    }
    let copy = |database: &str, template: &str| {
        let statement = "create database {name} template {template} strategy wal_log";
        let names = [("name", Value::Identifier(database)), ("template", Value::Identifier(template))];
        render(statement, &names)
    };
    for (half_made, _) in found.iter().filter(|(_, is_whole)| !is_whole) {
        let sql = render("drop database if exists {name}", &[("name", Value::Identifier(half_made))]);
        execute(&mut connection, sql, "drop a half-made template").await?;
    }
    let earlier = found.iter().find(|(_, is_whole)| *is_whole).map(|(name, _)| name.clone());
    let sql = match &earlier {
        Some(earlier) => copy(&name, earlier),
        None => {
            if let Some(problem) = unlike(&mut connection).await? {
                return Err(Error::Refused(problem));
            }
            copy(&name, "template1")
        }
    };
    execute(&mut connection, sql, "make the template").await?;
    let close = "revoke all on database {name} from public";
    execute(&mut connection, render(close, &[("name", Value::Identifier(&name))]), "close the template")
        .await?;
    fill(target, &name).await?;
    let seal = "alter database {name} with is_template true";
    execute(&mut connection, render(seal, &[("name", Value::Identifier(&name))]), "seal the template")
        .await?;
    if let Some(earlier) = earlier {
        forget_earlier(&mut connection, &earlier).await;
    }
    Ok(name)
}

/// Our bookkeeping in it, and nothing for everybody.
async fn fill(target: &Target, template: &str) -> Result<()> {
    let mut connection = target.connect_to(template).await?;
    schema::TARGET.migrate(&mut connection).await?;
    execute(
        &mut connection,
        "revoke all on schema public from public".to_owned(),
        "close the template's schema",
    )
    .await?;
    connection.close().await.map_err(doing("leave the template"))
}

/// The one that an earlier build made is of use to nobody once there is a newer one.
async fn forget_earlier(connection: &mut PgConnection, template: &str) {
    for statement in ["alter database {name} with is_template false", "drop database if exists {name}"] {
        let sql = render(statement, &[("name", Value::Identifier(template))]);
        if let Err(error) = execute(connection, sql, "drop an earlier template").await {
            tracing::warn!(template, error = %error.explain(), "an earlier template is left");
            return;
        }
    }
}

/// Why template1 cannot be copied for tenants of this target, if it cannot: a copy has its locale.
pub async fn unlike(connection: &mut PgConnection) -> Result<Option<String>> {
    let (is_same, encoding, collate): (bool, String, String) = sqlx::query_as(
        "select (t.encoding, t.datlocprovider, t.datcollate, t.datctype) = (d.encoding, d.datlocprovider, d.datcollate, d.datctype),
                pg_encoding_to_char(d.encoding)::text, d.datcollate::text
         from pg_database d, pg_database t where d.datname = current_database() and t.datname = 'template1'",
    )
    .fetch_one(connection)
    .await
    .map_err(doing("compare template1 with the target"))?;
    if is_same {
        return Ok(None);
    }
    Ok(Some(format!(
        "databases of tenants are made from template1, whose encoding or locale is not the target's ({encoding}, {collate}): \
         have an administrator make template1 anew with these, or use a target in a database of template1's"
    )))
}
