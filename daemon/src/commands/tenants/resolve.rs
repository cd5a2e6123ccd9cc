//! Turns the words of a provision request into their meaning: names parsed, blueprint and target found, settings in range.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, Slug};
use tenantry_protocol::plan::{Finding, Plan};
use tenantry_protocol::tenant::ProvisionRequest;

use crate::model::blueprint::{Blueprint, Setting};
use crate::model::operation::Seeding;
use crate::pipeline::plan::{self, Ingredients};
use crate::pipeline::preflight;
use crate::postgres::control::tenants;
use crate::postgres::target::Target;
use crate::postgres::tenant_ddl::LoginLimits;

use crate::commands::{App, errors};

const LONGEST_DISPLAY_NAME: usize = 200;
const MOST_LABELS: usize = 64;
const LONGEST_LABEL: usize = 255;
/// The size of all labels of a tenant together, in bytes: a page of 1,000 tenants must fit a frame.
const MOST_LABEL_BYTES: usize = 4_096;
/// A valid request.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) slug: Slug,
    pub(super) display_name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(in crate::commands) blueprint: Arc<Blueprint>,
    pub(in crate::commands) findings: Vec<Finding>,
    pub(super) target: Arc<Target>,
    pub(super) settings: BTreeMap<String, i64>,
    pub(super) seed: Seeding,
}

impl App {
    pub(super) async fn resolve(&self, request: &ProvisionRequest) -> Result<Resolved, ApiError> {
        let slug =
            Slug::parse(&request.slug).map_err(|error| ApiError::invalid("slug", error.to_string()))?;
        let display_name = request.display_name.clone().unwrap_or_else(|| slug.to_string());
        check_display_name(&display_name)?;
        check_labels(&request.labels)?;
        let name = BlueprintName::parse(&request.blueprint)
            .map_err(|error| ApiError::invalid("blueprint", error.to_string()))?;
        let version = request.version.as_deref().map(BlueprintVersion::parse).transpose();
        let version = version.map_err(|error| ApiError::invalid("version", error.to_string()))?;
        let entry = self.blueprint(&name, version).await?;
        let settings = settings(&entry.blueprint.settings, &request.settings)?;
        Ok(Resolved {
            slug,
            display_name,
            labels: request.labels.clone(),
            target: Arc::clone(self.chosen_target(request.target.as_deref())?),
            settings,
            seed: seeding(request.seed, &entry.blueprint)?,
            findings: entry.findings.clone(),
            blueprint: Arc::clone(&entry.blueprint),
        })
    }

    /// The plan for the request, after a look at the target.
    pub(super) async fn plan_of(&self, resolved: &Resolved) -> Result<Plan, ApiError> {
        let name = resolved.target.name();
        let limits = LoginLimits::of(&resolved.settings);
        let (capacity, findings) = tokio::join!(
            self.place_of(resolved),
            preflight::findings(&resolved.target, &resolved.blueprint, limits)
        );
        let capacity = capacity?;
        let mut findings = findings.map_err(|error| errors::target(name, error))?;
        findings.extend(capacity);
        findings.extend(resolved.findings.iter().cloned());
        let budget = self.engine.options().budget;
        Ok(plan::make(Ingredients {
            slug: &resolved.slug,
            display_name: &resolved.display_name,
            blueprint: &resolved.blueprint,
            target: name,
            settings: &resolved.settings,
            labels: &resolved.labels,
            seed: resolved.seed,
            findings,
            budget_ms: u64::try_from(budget.as_millis()).unwrap_or(u64::MAX),
        }))
    }

    /// Checks that the name is free, and whether the target takes another tenant.
    async fn place_of(&self, resolved: &Resolved) -> Result<Option<Finding>, ApiError> {
        self.check_free(&resolved.slug).await?;
        self.capacity_of(&resolved.target).await
    }

    /// Whether the target takes another tenant; nothing if that has no limit, and then nothing is counted.
    pub(in crate::commands) async fn capacity_of(
        &self,
        target: &Target,
    ) -> Result<Option<Finding>, ApiError> {
        if target.options().capacity.is_none() {
            return Ok(None);
        }
        let counts = self.control.tenant_counts().await.map_err(errors::control)?;
        Ok(preflight::capacity(target, counts.living(target.name())))
    }

    /// Checks that no living tenant has the name. If two requests come at once, the registry's index decides.
    pub(super) async fn check_free(&self, slug: &Slug) -> Result<(), ApiError> {
        let holder = tenants::by_slug(self.control.pool(), slug.as_str()).await.map_err(errors::control)?;
        match holder {
            Some(tenant) if !tenant.state.stage().is_over() => Err(taken(slug, tenant.state.name())),
            _ => Ok(()),
        }
    }

    pub(in crate::commands) fn chosen_target(&self, name: Option<&str>) -> Result<&Arc<Target>, ApiError> {
        match (name, self.targets.as_slice()) {
            (Some(name), _) => self.target(name),
            (None, [only]) => Ok(only),
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|target| target.name().as_str()).collect();
                let message = format!("there are several targets, say which: {}", names.join(", "));
                Err(ApiError::invalid("target", message))
            }
        }
    }
}

/// The conflict of a name that is in use.
pub(super) fn taken(slug: &Slug, state: &str) -> ApiError {
    let message = format!(
        "there is a tenant '{slug}' already, and it is {state}: choose another name, or remove that one with \
         `tenantry tenant rollback {slug}`"
    );
    ApiError::new(ErrorCode::Conflict, message).on_field("slug")
}

fn seeding(seed: bool, blueprint: &Blueprint) -> Result<Seeding, ApiError> {
    match (seed, blueprint.seed.is_empty()) {
        (false, _) => Ok(Seeding::Without),
        (true, false) => Ok(Seeding::With),
        (true, true) => {
            let message = format!("blueprint {} {} has no seed data", blueprint.name, blueprint.version);
            Err(ApiError::invalid("seed", message))
        }
    }
}

pub(super) fn settings(
    known: &BTreeMap<String, Setting>,
    asked: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, i64>, ApiError> {
    for (name, value) in asked {
        let field = format!("settings.{}", name.escape_debug());
        match known.get(name) {
            None => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let message = format!(
                    "the blueprint has no setting '{}'; it has: {}",
                    name.escape_debug(),
                    names.join(", ")
                );
                return Err(ApiError::invalid(field, message));
            }
            Some(setting) if !(setting.min..=setting.max).contains(value) => {
                let message = format!("{name} is {value}, and may be {} to {}", setting.min, setting.max);
                return Err(ApiError::invalid(field, message));
            }
            Some(_) => {}
        }
    }
    let value = |name: &String, setting: &Setting| *asked.get(name).unwrap_or(&setting.default);
    Ok(known.iter().map(|(name, setting)| (name.clone(), value(name, setting))).collect())
}

pub(super) fn check_display_name(name: &str) -> Result<(), ApiError> {
    check_text("display_name", name, LONGEST_DISPLAY_NAME)
}

pub(super) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if labels.len() > MOST_LABELS {
        let message = format!("there are {} labels, and at most {MOST_LABELS} are kept", labels.len());
        return Err(ApiError::invalid("labels", message));
    }
    let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MOST_LABEL_BYTES {
        let message =
            format!("the labels are {bytes} bytes long together, and at most {MOST_LABEL_BYTES} are kept");
        return Err(ApiError::invalid("labels", message));
    }
    for (key, value) in labels {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_./".contains(&b);
        if key.is_empty() || key.len() > 63 || !key.bytes().all(plain) {
            let message = format!(
                "the label key '{}' is not allowed: use 1 to 63 lower-case letters, digits, '-', '_', '.' or '/'",
                key.escape_debug()
            );
            return Err(ApiError::invalid("labels", message));
        }
        check_text(&format!("labels.{key}"), value, LONGEST_LABEL)?;
    }
    Ok(())
}

fn check_text(field: &str, text: &str, longest: usize) -> Result<(), ApiError> {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let unprintable = |c: char| c.is_control() || turns(c);
    if text.trim().is_empty() || text.chars().count() > longest || text.chars().any(unprintable) {
        let message =
            format!("{field} has 1 to {longest} characters, without control or text-direction characters");
        return Err(ApiError::invalid(field, message));
    }
    Ok(())
}

#[cfg(any(test, fuzzing))]
#[path = "../tests/request_invariants.rs"]
pub mod invariants;

#[cfg(test)]
#[path = "../tests/requests.rs"]
mod tests;
