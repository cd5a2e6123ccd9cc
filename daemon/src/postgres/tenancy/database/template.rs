//! The template that tenants' own databases are copied from. It contains the daemon's bookkeeping, and is closed to everyone.
//!
//! Invariants: a database is a template only when it is complete, and a half-made one is dropped. What an administrator put
//! into template1 (extensions, closed functions) is in each tenant's database too. What is put into the template stays there
//! when a newer build makes its own.

use sqlx::{Connection as _, PgConnection};

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::{Value, render};
use crate::postgres::schema;
use crate::postgres::target::{Ready, Target};

/// The prefix of the names of this target's templates. The version number of the bookkeeping follows it.
fn family(ready: &Ready) -> String {
    format!("tenantry_template_{}_", ready.group.trim_start_matches("tenantry_g_"))
}

/// The existing template, if there is one. This does not make one.
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

/// The template with the bookkeeping of this build, for this target only, because a cluster can contain several targets.
pub async fn ensure(target: &Target, ready: &Ready) -> Result<String> {
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

/// Puts the bookkeeping into the template, and leaves nothing open to everybody.
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

/// Drops the template of an earlier build. Nobody uses it once there is a newer one.
async fn forget_earlier(connection: &mut PgConnection, template: &str) {
    for statement in ["alter database {name} with is_template false", "drop database if exists {name}"] {
        let sql = render(statement, &[("name", Value::Identifier(template))]);
        if let Err(error) = execute(connection, sql, "drop an earlier template").await {
            tracing::warn!(template, error = %error.explain(), "an earlier template is left");
            return;
        }
    }
}

/// Why template1 cannot be copied for tenants of this target, if it cannot. A copy has the locale of template1.
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
