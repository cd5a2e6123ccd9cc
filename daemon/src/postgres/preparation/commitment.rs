//! How many connections a server has promised to its tenants, compared with how many it has.
//!
//! Each tenant's logins have a limit, but nothing limits what all of them take together. If they can take everything, the
//! daemon can act only with connections that it already holds, or that the server reserves.

use sqlx::PgConnection;
use tenantry_protocol::plan::Finding;

use crate::model::plan_hash::OVERCOMMITTED;

use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::Ready;

/// The first version that can reserve connections for roles other than superusers.
const RESERVES_FROM: i32 = 160_000;
/// The number of reserved connections that is enough for the daemon: those that it keeps to a target and to the registry.
const ENOUGH: i64 = 10;
/// How many logins a sentence names.
const MOST_SHOWN: usize = 5;

/// The connections of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// How many connections the open logins of this target's tenants may take together.
    promised: i64,
    /// How many open logins there are.
    logins: i64,
    /// The logins among them that somebody removed the limit from, in order. Each may take every connection.
    unlimited: Vec<String>,
    /// `max_connections`
    most: i64,
    /// The part of `most` that only superusers and members of `pg_use_reserved_connections` get.
    reserved: i64,
    /// The part of `reserved` for the members of `pg_use_reserved_connections`.
    set_aside: i64,
    /// Whether the provisioner gets these.
    may_use: bool,
}

pub async fn look(connection: &mut PgConnection) -> Result<Commitment> {
    let (promised, logins, unlimited, most, for_superusers, set_aside, may_use) = sqlx::query_as(
        "select coalesce(sum(case when rolconnlimit < 0 then current_setting('max_connections')::bigint
                                  else rolconnlimit end), 0)::bigint,
                count(*),
                coalesce(array_agg(rolname::text order by rolname) filter (where rolconnlimit < 0), '{}'),
                current_setting('max_connections')::bigint,
                current_setting('superuser_reserved_connections')::bigint,
                coalesce(current_setting('reserved_connections', true)::bigint, 0),
                coalesce(pg_has_role(to_regrole('pg_use_reserved_connections'), 'usage'), false)
         from pg_roles r join tenantry.placement p on p.placement = left(r.rolname::text, -2)
         where r.rolname ~ '^t_[a-z2-7]{13}_[ab]$' and r.rolcanlogin",
    )
    .fetch_one(connection)
    .await
    .map_err(doing("add up the connection limits"))?;
    let for_superusers: i64 = for_superusers;
    Ok(Commitment {
        promised,
        logins,
        unlimited,
        most,
        reserved: for_superusers + set_aside,
        set_aside,
        may_use,
    })
}

impl Commitment {
    /// The connections for tenants, and for everybody else who is not a superuser.
    const fn room(&self) -> i64 {
        self.most - self.reserved
    }

    /// The finding that tenants may take more connections than there are, once another one was promised
    /// `more`; none if they may not.
    pub fn overcommitted(&self, more: i64) -> Option<Finding> {
        let promised = self.promised + more.max(0);
        (promised > self.room() || !self.unlimited.is_empty()).then(|| {
            let with = if more > 0 { ", this one's among them," } else { "" };
            Finding::warning(
                OVERCOMMITTED,
                format!(
                    "tenants{with} may open {promised} connections together, and the server has {} for them (max_connections \
                     {} less {} reserved){}: lower their connection_limit, or raise max_connections",
                    self.room(),
                    self.most,
                    self.reserved,
                    self.without_limit()
                ),
            )
        })
    }

    /// Names the logins without a limit, as part of a sentence.
    fn without_limit(&self) -> String {
        if self.unlimited.is_empty() {
            return String::new();
        }
        let shown = self.unlimited.iter().take(MOST_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let others = if self.unlimited.len() > MOST_SHOWN { " and others" } else { "" };
        format!("; nothing limits {shown}{others}, counted as all of max_connections each")
    }

    /// What `target check` says about the connections.
    pub fn findings(&self, ready: &Ready) -> Vec<Finding> {
        let promised = self.overcommitted(0).unwrap_or_else(|| {
            let message = format!(
                "{} logins of tenants may open {} connections together, of {} that are there for them",
                self.logins,
                self.promised,
                self.room()
            );
            Finding::ok("connection_limits", message)
        });
        let mut findings = vec![promised];
        if ready.version_num >= RESERVES_FROM && !self.may_use {
            let set = if self.set_aside == 0 {
                format!(
                    "; the server sets none aside: reserved_connections = {ENOUGH} is enough, after a restart"
                )
            } else {
                String::new()
            };
            let message = format!(
                "who takes all connections of the server locks the daemon out of those that it does not hold already{set}; an \
                 administrator runs: grant pg_use_reserved_connections to {}",
                identifier(&ready.provisioner)
            );
            findings.push(Finding::warning("reserved_connections", message));
        }
        findings
    }
}
