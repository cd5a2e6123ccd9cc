//! `upgrade_plan`: which tenants an upgrade of a blueprint would change, in which waves, and with which files.
//!
//! The files are those by which the stored versions differ. A tenant's own history decides when its turn comes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, Slug, TargetName};
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::upgrade::{Course, UpgradePlan, UpgradeRequest, UpgradeSource};

use crate::commands::tenants::upgrade::contract;
use crate::commands::{App, Caller, errors};
use crate::model::blueprint::{Blueprint, Migration, live_findings, reshaped_tables};
use crate::model::upgrade::{self, FileRun};
use crate::postgres::Error;
use crate::postgres::control::blueprints;
use crate::postgres::control::upgrade_units;
use crate::postgres::control::upgrades::{Pace, Selection};
use crate::postgres::error::doing;

const DEFAULT_PILOT: u32 = 1;
const DEFAULT_WAVE_PERCENT: u32 = 10;
const DEFAULT_WIDTH: u32 = 4;
const DEFAULT_STOP_AFTER: &str = "3";
/// The most tenants that a request names.
const MOST_NAMES: usize = 10_000;
/// The most tables that a finding names.
const MOST_TABLES: usize = 5;
const DOMAIN: &[u8] = b"tenantry.upgrade.v1\0";

/// A request that was read and looked at.
pub(super) struct PlannedUpgrade {
    pub(super) plan: UpgradePlan,
    pub(super) selection: Selection,
    pub(super) pace: Pace,
    /// What takes versions back, as it was looked at; only of a downgrade.
    pub(super) undo: Option<String>,
}

pub async fn upgrade_plan(
    app: &Arc<App>,
    _: &Caller,
    request: UpgradeRequest,
) -> Result<UpgradePlan, ApiError> {
    Ok(look(app, &request).await?.plan)
}

/// Reads the request, and finds out what it would do now.
pub(super) async fn look(app: &App, request: &UpgradeRequest) -> Result<PlannedUpgrade, ApiError> {
    let (name, version) = destination(request)?;
    let course = request.course;
    let to = Arc::clone(&app.blueprint(&name, version).await?.blueprint);
    let selection = selection(app, request)?;
    let pace = pace(app, request)?;
    let undo = match course {
        Course::Forward => None,
        Course::Back => Some(undo_state(app, &name).await.map_err(errors::control)?),
    };
    let counted = upgrade_units::behind(app.control.pool(), &name, to.version, course, &selection);
    let counted = counted.await.map_err(errors::control)?;
    let mut from = Vec::new();
    let (mut findings, mut ways_back) = (Vec::new(), Vec::new());
    for (version, tenants) in counted {
        let earlier = Arc::clone(&app.blueprint(&name, Some(version)).await?.blueprint);
        let files = files_between(&earlier, &to, &mut findings);
        match course {
            Course::Forward if !files.is_empty() => findings.extend(live_findings(&earlier, &to)),
            Course::Forward => {}
            Course::Back => findings.extend(taken_back(&files).chain(chosen_of_shared(&earlier, &selection))),
        }
        findings.extend(prepared(&earlier, &files));
        from.push(UpgradeSource {
            version,
            tenants,
            files: files.iter().map(|file| file.path.clone()).collect(),
            per_tenant: per_tenant(&to, &files),
        });
        ways_back.push(earlier.undo_checksum().to_string());
    }
    if course == Course::Forward
        && let Some(obstacle) = contract(app, &name, None, &to).await?
    {
        findings.push(Finding::new(Severity::Error, "contract", obstacle.to_string()));
    }
    let mut known = HashSet::new();
    findings.retain(|finding| {
        known.insert((finding.code.clone(), finding.file.clone(), finding.line, finding.message.clone()))
    });
    let tenants = from.iter().map(|source| source.tenants).sum();
    let mut plan = UpgradePlan {
        hash: String::new(),
        blueprint: name,
        version: to.version,
        course,
        from,
        tenants,
        waves: waves(tenants, &pace),
        width: pace.width.unsigned_abs(),
        stop_after: pace.stop_after.clone(),
        findings,
        rehearsals: Vec::new(),
    };
    plan.hash = hash(&plan, &to, &selection, &pace, &ways_back);
    Ok(PlannedUpgrade { plan, selection, pace, undo })
}

/// The blueprint, and the version that its tenants are to have if one is named.
fn destination(request: &UpgradeRequest) -> Result<(BlueprintName, Option<BlueprintVersion>), ApiError> {
    let name = BlueprintName::parse(&request.blueprint)
        .map_err(|error| ApiError::invalid("blueprint", error.to_string()))?;
    let version = request.version.as_deref().map(BlueprintVersion::parse).transpose();
    let version = version.map_err(|error| ApiError::invalid("version", error.to_string()))?;
    if request.course == Course::Back && version.is_none() {
        let message = "say which version tenants are to go back to: NAME@VERSION";
        return Err(ApiError::invalid("version", message));
    }
    if request.course == Course::Back && request.accept_drift {
        let message = "a downgrade takes back what is proven, and accepts no drift";
        return Err(ApiError::invalid("accept_drift", message));
    }
    Ok((name, version))
}

async fn undo_state(app: &App, name: &BlueprintName) -> Result<String, Error> {
    let mut connection = app.control.pool().acquire().await.map_err(doing("look at the undo files"))?;
    blueprints::undo_state(&mut connection, name).await
}

/// The files that a tenant of the earlier version lacks; what stands in the way becomes a finding.
fn files_between<'b>(
    earlier: &'b Blueprint,
    to: &'b Blueprint,
    findings: &mut Vec<Finding>,
) -> Vec<&'b Migration> {
    if earlier.tenancy != to.tenancy {
        let message = format!(
            "version {} keeps tenants apart by {}, and {} by {}: provision new tenants of it, and move the data",
            earlier.version,
            earlier.tenancy.name(),
            to.version,
            to.tenancy.name()
        );
        findings.push(Finding::new(Severity::Error, "other_tenancy", message));
        return Vec::new();
    }
    let history: Vec<(&str, String)> = earlier
        .migrations
        .iter()
        .chain(&earlier.seed)
        .map(|file| (file.path.as_str(), file.checksum.to_string()))
        .collect();
    let history: Vec<FileRun<'_>> =
        history.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
    match upgrade::between(to, earlier, &history, None) {
        Ok(files) => files,
        Err(obstacles) => {
            let found = obstacles.into_iter().map(|obstacle| {
                Finding::new(Severity::Error, "history", format!("since {}: {obstacle}", earlier.version))
            });
            findings.extend(found);
            Vec::new()
        }
    }
}

/// Which tables get other columns, which sessions notice that keep statements.
fn prepared(present: &Blueprint, files: &[&Migration]) -> Option<Finding> {
    let mut tables: Vec<String> = reshaped_tables(present, files).into_iter().collect();
    if tables.is_empty() {
        return None;
    }
    if tables.len() > MOST_TABLES {
        let more = tables.len() - MOST_TABLES;
        tables.truncate(MOST_TABLES);
        tables.push(format!("{more} more"));
    }
    let message = format!(
        "gives {} other columns: a `select *` that a session has prepared fails with \"cached plan must not change result type\". Name \
         the columns in the application, or have it connect again",
        tables.join(", ")
    );
    Some(Finding::warning("live_prepared", message))
}

/// Tenants that share their tables cannot be chosen one by one: what is taken back is taken from all of them.
fn chosen_of_shared(present: &Blueprint, selection: &Selection) -> Option<Finding> {
    let is_chosen = !selection.tenants.is_empty() || !selection.labels.is_empty();
    (present.tenancy == Tenancy::Shared && is_chosen).then(|| {
        let message = "tenants that share their tables go back together, and with them those that were not chosen: leave out \
                       --tenant and --label";
        Finding::new(Severity::Error, "shared_together", message.to_owned())
    })
}

/// What each way back costs.
fn taken_back(files: &[&Migration]) -> impl Iterator<Item = Finding> {
    files.iter().filter_map(|file| {
        let taken = file.takes_back.as_deref()?;
        let message = format!("takes {taken} back: what tenants wrote since into what it drops is lost");
        Some(Finding { file: Some(file.path.clone()), ..Finding::warning("taken_back", message) })
    })
}

/// The files that run once as each tenant.
fn per_tenant(to: &Blueprint, files: &[&Migration]) -> Vec<String> {
    let of_tenants = files.iter().filter(|file| to.tenancy == Tenancy::Shared && file.is_data());
    of_tenants.map(|file| file.path.clone()).collect()
}

/// The number of tenants in each wave.
fn waves(tenants: u64, pace: &Pace) -> Vec<u64> {
    let pilot = u64::from(pace.pilot.unsigned_abs()).min(tenants);
    let rest = tenants - pilot;
    let size = (rest * u64::from(pace.wave_percent.unsigned_abs())).div_ceil(100).max(1);
    let mut waves = vec![pilot];
    waves.extend((0..rest.div_ceil(size)).map(|wave| size.min(rest - wave * size)));
    waves.retain(|wave| *wave > 0);
    waves
}

fn selection(app: &App, request: &UpgradeRequest) -> Result<Selection, ApiError> {
    for target in &request.targets {
        TargetName::parse(target).map_err(|error| ApiError::invalid("targets", error.to_string()))?;
        app.target(target)?;
    }
    if request.tenants.len() > MOST_NAMES {
        let message =
            format!("{} tenants are named, and {MOST_NAMES} may be: use a label", request.tenants.len());
        return Err(ApiError::invalid("tenants", message));
    }
    for slug in &request.tenants {
        Slug::parse(slug).map_err(|error| ApiError::invalid("tenants", error.to_string()))?;
    }
    Ok(Selection {
        targets: request.targets.clone(),
        tenants: request.tenants.clone(),
        labels: request.labels.clone(),
    })
}

fn pace(app: &App, request: &UpgradeRequest) -> Result<Pace, ApiError> {
    let within =
        |field: &'static str, asked: Option<u32>, default: u32, most: u32| match asked.unwrap_or(default) {
            number if (1..=most).contains(&number) => Ok(i32::try_from(number).unwrap_or(i32::MAX)),
            number => Err(ApiError::invalid(field, format!("{field} is {number}, and may be 1 to {most}"))),
        };
    let stop_after = request.stop_after.as_deref().unwrap_or(DEFAULT_STOP_AFTER);
    if Limit::parse(stop_after).is_none() {
        let message = format!(
            "stop_after is '{}', and may be a number of tenants from 1, such as 3, or a percentage such as 2%",
            stop_after.escape_debug()
        );
        return Err(ApiError::invalid("stop_after", message));
    }
    let places = u32::try_from(app.engine.options().operations_per_target / 2).unwrap_or(u32::MAX).max(1);
    let width = within("width", request.width, DEFAULT_WIDTH, 64)?;
    Ok(Pace {
        pilot: within("pilot", request.pilot, DEFAULT_PILOT, 1_000)?,
        wave_percent: within("wave_percent", request.wave_percent, DEFAULT_WAVE_PERCENT, 100)?,
        width: width.min(i32::try_from(places).unwrap_or(i32::MAX)),
        stop_after: stop_after.to_owned(),
        manual: request.manual,
        accept_drift: request.accept_drift,
    })
}

/// How many failures pause an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Tenants(i64),
    Percent(i64),
}

impl Limit {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, is_percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
        let number =
            i64::from(digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?);
        match is_percent {
            true => (1..=100).contains(&number).then_some(Self::Percent(number)),
            false => (number >= 1).then_some(Self::Tenants(number)),
        }
    }

    /// Whether `failed` of `all` tenants are too many.
    pub(super) const fn is_reached(self, failed: i64, all: i64) -> bool {
        match self {
            Self::Tenants(most) => failed >= most,
            Self::Percent(percent) => failed > 0 && failed * 100 >= percent * all,
        }
    }
}

fn hash(
    plan: &UpgradePlan,
    to: &Blueprint,
    selection: &Selection,
    pace: &Pace,
    ways_back: &[String],
) -> String {
    let mut digest = Sha256::new_with_prefix(DOMAIN);
    let mut field = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    field(plan.blueprint.as_str());
    field(&plan.version.to_string());
    field(&to.checksum.to_string());
    for source in &plan.from {
        field(&source.version.to_string());
        source.files.iter().for_each(|file| field(file));
    }
    field("\0selection");
    selection.targets.iter().chain(&selection.tenants).for_each(|name| field(name));
    let labels: &BTreeMap<String, String> = &selection.labels;
    labels.iter().for_each(|(name, value)| field(&format!("{name}={value}")));
    field("\0pace");
    let numbers =
        [pace.pilot, pace.wave_percent, pace.width, i32::from(pace.manual), i32::from(pace.accept_drift)];
    numbers.iter().for_each(|number| field(&number.to_string()));
    field(&pace.stop_after);
    if plan.course == Course::Back {
        field("\0back");
        ways_back.iter().for_each(|checksum| field(checksum));
    }
    let mut codes: Vec<&str> = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().for_each(field);
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

/// Refuses what the findings forbid, or what is not what was approved.
pub(super) fn check(plan: &UpgradePlan, approved: Option<&str>) -> Result<(), ApiError> {
    let errors: Vec<&str> = plan
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.message.as_str())
        .collect();
    if !errors.is_empty() {
        return Err(ApiError::new(ErrorCode::Precondition, errors.join("; ")));
    }
    match approved {
        Some(approved) if !crate::model::plan_hash::is_approved(&plan.hash, approved) => {
            let message = format!(
                "the plan is {} now, and not what was approved: look at it again with --plan",
                &plan.hash[..crate::model::plan_hash::SHORTEST_PREFIX]
            );
            Err(ApiError::new(ErrorCode::Precondition, message).on_field("approve"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn pace(pilot: i32, wave_percent: i32) -> Pace {
        Pace { pilot, wave_percent, width: 4, stop_after: "3".to_owned(), manual: false, accept_drift: false }
    }

    #[test]
    fn waves_hold_all_tenants_the_pilot_first() {
        assert_eq!(waves(0, &pace(1, 10)), [0_u64; 0]);
        assert_eq!(waves(1, &pace(1, 10)), [1]);
        assert_eq!(waves(3, &pace(1, 10)), [1, 1, 1]);
        assert_eq!(waves(101, &pace(1, 10)), [1, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
        assert_eq!(waves(8, &pace(2, 50)), [2, 3, 3]);
        assert_eq!(waves(8, &pace(20, 50)), [8]);
        assert_eq!(waves(5_001, &pace(1, 100)), [1, 5_000]);
    }

    #[test]
    fn a_limit_is_a_number_or_a_percentage() {
        assert!(
            Limit::parse("3").unwrap().is_reached(3, 1_000) && !Limit::parse("3").unwrap().is_reached(2, 2)
        );
        let percent = Limit::parse("2%").unwrap();
        assert!(percent.is_reached(2, 100) && !percent.is_reached(1, 100) && !percent.is_reached(0, 0));
        for wrong in ["", "0", "-1", "+3", "3 %", "101%", "0%", "x", "99999999999"] {
            assert_eq!(Limit::parse(wrong), None, "{wrong}");
        }
    }
}
