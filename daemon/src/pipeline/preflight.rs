//! Checks the target before anything is done: room, versions, extensions and lints, with numbers.
//!
//! A finding of severity error refuses the operation. Nothing here changes anything.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::tenant::Tenant;

use crate::model::blueprint::Blueprint;
use crate::postgres::Result;
use crate::postgres::preparation::check::TempFiles;
use crate::postgres::preparation::extensions::{self, MissingExtension};
use crate::postgres::preparation::{self, check, commitment, groundwork};
use crate::postgres::target::location::Home;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::database::{databases, template};
use crate::postgres::tenant_ddl::LoginLimits;

/// The number of connections that a build and its probe use at once.
const CONNECTIONS_OF_A_BUILD: i64 = 2;
/// The same for a tenant with a database of its own, where the build works in that database and in the target's.
const CONNECTIONS_OF_A_DATABASE: i64 = 4;

/// Findings for and against building `blueprint` on `target` for a tenant with those limits, with `tenants` tenants
/// already there.
pub async fn findings(target: &Target, blueprint: &Blueprint, limits: LoginLimits) -> Result<Vec<Finding>> {
    let ready = preparation::ready(target).await?;
    let mut connection = target.site().read().await?;
    let room = check::room(&mut connection).await?;
    let overcommitted = commitment::look(&mut connection).await?.overcommitted(limits.connections);
    let missing = match blueprint.tenancy {
        Tenancy::Database => Vec::new(),
        _ => extensions::missing(&mut connection, &blueprint.extensions).await?,
    };
    drop(connection);

    let mut findings =
        vec![finding(Severity::Ok, "server_version", format!("PostgreSQL {}", ready.server_version))];
    let locks = super::admission::locks_of_a_build(blueprint.tables);
    let fits = Severity::error_unless(locks <= room.locks_max);
    findings.push(finding(fits, "locks", format!("about {locks} locks of {}", room.locks_max)));
    let free = room.connections_max - room.connections_reserved - room.connections_used;
    let needed = match blueprint.tenancy {
        Tenancy::Database => CONNECTIONS_OF_A_DATABASE,
        _ => CONNECTIONS_OF_A_BUILD,
    };
    let fits = Severity::error_unless(free >= needed);
    let used = format!("{} of {} connections are used", room.connections_used, room.connections_max);
    findings.push(finding(fits, "connections", used));
    findings.extend(overcommitted);
    if room.temp_files == TempFiles::Unbounded {
        findings.push(check::unbounded_temp_files(&ready));
    }
    findings
        .extend(missing.iter().map(|one| missing_extension(target, target.database(), "the target", one)));
    if blueprint.tenancy == Tenancy::Database {
        findings.extend(Box::pin(databases(target, &ready, blueprint)).await?);
    }
    if target.options().in_maintenance {
        let message = format!(
            "the target {} is in maintenance: choose another, or end it in the configuration",
            target.name()
        );
        findings.push(finding(Severity::Error, "maintenance", message));
    }
    Ok(findings)
}

/// Whether the target takes another tenant; nothing if that has no limit. `tenants` is how many are there.
pub fn capacity(target: &Target, tenants: u64) -> Option<Finding> {
    let capacity = target.options().capacity?;
    let fits = Severity::error_unless(tenants < capacity);
    Some(finding(fits, "capacity", format!("{tenants} of {capacity} tenants are on {}", target.name())))
}

/// The extensions that an existing tenant's database lacks of these.
pub async fn extensions_of(target: &Target, tenant: &Tenant, extensions: &[String]) -> Result<Vec<Finding>> {
    let home = Home::new(target, tenant.tenancy, &tenant.placement, tenant.id);
    let site = home.on(target);
    let mut connection = site.acquire().await?;
    let missing = extensions::missing(&mut connection, extensions).await?;
    let database = if site.is_own_database() { tenant.placement.as_str() } else { target.database() };
    Ok(missing.iter().map(|one| missing_extension(target, database, "the tenant's database", one)).collect())
}

/// What a tenant with a database of its own needs in addition.
async fn databases(target: &Target, ready: &Ready, blueprint: &Blueprint) -> Result<Vec<Finding>> {
    if !databases::may_create(target).await? {
        let message = format!(
            "the role {0} may not create databases, and each tenant of {1} gets one: have an administrator run ALTER ROLE \
             {0} CREATEDB, or use a blueprint with tenancy schema",
            ready.provisioner, blueprint.name
        );
        return Ok(vec![finding(Severity::Error, "missing_createdb", message)]);
    }
    let unlike = {
        let mut connection = target.acquire().await?;
        template::unlike(&mut connection).await?
    };
    if let Some(problem) = unlike {
        return Ok(vec![finding(Severity::Error, "missing_template", problem)]);
    }
    // The template is created for the first tenant, or when a caller has to know its contents.
    if blueprint.extensions.is_empty() {
        return Ok(Vec::new());
    }
    let (template, missing) = groundwork::missing_extensions(target, ready, &blueprint.extensions).await?;
    let lacks = |one: &MissingExtension| {
        missing_extension(target, &template, "the template of tenants' databases", one)
    };
    Ok(missing.iter().map(lacks).collect())
}

/// An extension that is missing in `database`: it is installed with the tenant, or an administrator has to do it.
fn missing_extension(target: &Target, database: &str, place: &str, missing: &MissingExtension) -> Finding {
    let extension = &missing.name;
    if missing.can_be_installed {
        let message = format!(
            "{extension} is installed into tenantry_ext: PostgreSQL trusts it to the owner of a database"
        );
        return finding(Severity::Ok, "extension", message);
    }
    let files = match missing.is_available {
        true => "",
        false => "installs its files on the server, and then ",
    };
    let message = format!(
        "{place} has no extension {extension}; an administrator {files}runs, {}",
        installation(target, database, extension)
    );
    finding(Severity::Error, "missing_extension", message)
}

/// Where an extension is installed, the command that leads there, and the statement.
fn installation(target: &Target, database: &str, extension: &str) -> String {
    let (host, port) = target.endpoint();
    let name = crate::postgres::quote::identifier(extension);
    format!(
        "connected to database {database} (psql -h {host} -p {port} -d {database}): create extension {name} schema tenantry_ext"
    )
}

fn finding(severity: Severity, code: &str, message: String) -> Finding {
    // A refusal has a code of its own, so that an approved plan does not match once the target has no room.
    if severity == Severity::Error && !code.starts_with("missing") && code != "maintenance" {
        return Finding::new(severity, &format!("{code}_exhausted"), message);
    }
    Finding::new(severity, code, message)
}
