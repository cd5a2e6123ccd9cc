//! The draft of a new tenant, in three steps.
//!
//! Invariant: going back, a lost connection or a refusal changes no input. The plan on the screen is what is approved: its
//! hash is sent with the request, and so is a key that makes sending it twice harmless.

use std::collections::BTreeMap;

use tenantry_protocol::ApiError;
use tenantry_protocol::blueprint::{Blueprint, Setting, Tenancy};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, Slug, TargetName};
use tenantry_protocol::plan::{Plan, Severity};
use tenantry_protocol::target::Target;
use tenantry_protocol::tenant::{ProvisionRequest, Tenant};
use tui_input::Input;

use super::tenants::Tenants;
use crate::ui::ticket::Ticket;

/// The longest display name, in characters; the daemon's rule.
const MAX_NAME: usize = 200;

#[derive(Debug, Clone)]
pub(crate) struct Wizard {
    pub(crate) step: Step,
    pub(crate) focus: WizardField,
    pub(crate) name: Input,
    pub(crate) slug: Input,
    pub(crate) slug_origin: SlugOrigin,
    pub(crate) labels: Input,
    /// `None` until the blueprints are known.
    pub(crate) blueprint: Option<(BlueprintName, BlueprintVersion)>,
    pub(crate) target: Option<TargetName>,
    /// What was typed, by the setting's name; kept while another blueprint is shown.
    pub(crate) settings: BTreeMap<String, Input>,
    pub(crate) seed: Seed,
    pub(crate) confirmation: Confirmation,
    /// The first line of the plan on the screen.
    pub(crate) top: usize,
    pub(crate) sql: Sql,
    /// The daemon's last refusal, until something is changed.
    pub(crate) refusal: Option<ApiError>,
    pub(crate) advance: Advance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Details,
    Configuration,
    Confirmation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WizardField {
    Name,
    Slug,
    Labels,
    Blueprint,
    Version,
    Target,
    Setting(String),
    Seed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlugOrigin {
    /// The slug follows the display name as that is typed.
    Derived,
    Typed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seed {
    No,
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advance {
    Asked,
    /// The operator went on before the daemon had said what it offers; the wizard follows once it has.
    Ahead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sql {
    Folded,
    Shown,
}

#[derive(Debug, Clone)]
pub(crate) enum Confirmation {
    NotPlanned,
    Planning(Ticket),
    Planned { plan: Box<Plan>, key: String },
    Starting { plan: Box<Plan>, key: String, ticket: Ticket },
}

/// What the daemon offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Catalogue<'a> {
    pub(crate) blueprints: &'a [Blueprint],
    pub(crate) targets: &'a [Target],
    pub(crate) tenants: &'a Tenants,
}

impl Wizard {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Details,
            focus: WizardField::Name,
            name: Input::default(),
            slug: Input::default(),
            slug_origin: SlugOrigin::Derived,
            labels: Input::default(),
            blueprint: None,
            target: None,
            settings: BTreeMap::new(),
            seed: Seed::No,
            confirmation: Confirmation::NotPlanned,
            top: 0,
            sql: Sql::Folded,
            refusal: None,
            advance: Advance::Asked,
        }
    }

    /// The draft that would make this tenant again, as far as the registry knows.
    pub(crate) fn again(tenant: &Tenant) -> Self {
        let settings = &tenant.settings;
        let labels: Vec<String> =
            tenant.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self {
            name: Input::new(tenant.display_name.clone()),
            slug: Input::new(tenant.slug.to_string()),
            slug_origin: SlugOrigin::Typed,
            labels: Input::new(labels.join(", ")),
            blueprint: Some((tenant.blueprint.clone(), tenant.version)),
            target: Some(tenant.target.clone()),
            settings: settings
                .iter()
                .map(|(name, value)| (name.clone(), Input::new(value.to_string())))
                .collect(),
            ..Self::new()
        }
    }

    /// Chooses the first blueprint (of the usual tenancy if there is one) and the first target, unless one is chosen, and
    /// gives new settings their defaults.
    pub(crate) fn adopt(&mut self, offer: Catalogue<'_>) {
        if self.blueprint.is_none() {
            let usual = offer.blueprints.iter().find(|other| other.tenancy == Tenancy::default());
            let first = usual.or(offer.blueprints.first());
            self.blueprint = first.map(|first| (first.name.clone(), first.version));
        }
        if self.target.is_none() {
            self.target = offer.targets.first().map(|first| first.health.name.clone());
        }
        if let Some(blueprint) = self.chosen(offer) {
            for (name, setting) in &blueprint.settings {
                self.settings.entry(name.clone()).or_insert_with(|| Input::new(setting.default.to_string()));
            }
        }
    }

    pub(crate) fn chosen<'a>(&self, offer: Catalogue<'a>) -> Option<&'a Blueprint> {
        let (name, version) = self.blueprint.as_ref()?;
        offer.blueprints.iter().find(|other| other.name == *name && other.version == *version)
    }

    /// The fields of the step on the screen, from top to bottom.
    pub(crate) fn fields(&self, offer: Catalogue<'_>) -> Vec<WizardField> {
        match self.step {
            Step::Details => vec![WizardField::Name, WizardField::Slug, WizardField::Labels],
            Step::Configuration => {
                let mut fields = vec![WizardField::Blueprint, WizardField::Version, WizardField::Target];
                if let Some(blueprint) = self.chosen(offer) {
                    fields.extend(blueprint.settings.keys().cloned().map(WizardField::Setting));
                    if !blueprint.seed.is_empty() {
                        fields.push(WizardField::Seed);
                    }
                }
                fields
            }
            Step::Confirmation => Vec::new(),
        }
    }

    pub(crate) fn input(&self, field: &WizardField) -> Option<&Input> {
        match field {
            WizardField::Name => Some(&self.name),
            WizardField::Slug => Some(&self.slug),
            WizardField::Labels => Some(&self.labels),
            WizardField::Setting(name) => self.settings.get(name),
            WizardField::Blueprint | WizardField::Version | WizardField::Target | WizardField::Seed => None,
        }
    }

    pub(crate) fn focused_input(&mut self) -> Option<&mut Input> {
        match &self.focus {
            WizardField::Name => Some(&mut self.name),
            WizardField::Slug => Some(&mut self.slug),
            WizardField::Labels => Some(&mut self.labels),
            WizardField::Setting(name) => self.settings.get_mut(name),
            WizardField::Blueprint | WizardField::Version | WizardField::Target | WizardField::Seed => None,
        }
    }

    /// Whether the focused field is chosen from a list rather than typed.
    pub(crate) const fn is_choice(&self) -> bool {
        matches!(
            self.focus,
            WizardField::Blueprint | WizardField::Version | WizardField::Target | WizardField::Seed
        )
    }

    /// An input changed: derived inputs follow, and the plan no longer matches the request.
    pub(crate) fn edited(&mut self) {
        match self.focus {
            WizardField::Name if self.slug_origin == SlugOrigin::Derived => {
                let slug = Slug::suggest(self.name.value()).map(|slug| slug.to_string());
                self.slug = Input::new(slug.unwrap_or_default());
            }
            WizardField::Slug => {
                let emptied = self.slug.value().is_empty();
                self.slug_origin = if emptied { SlugOrigin::Derived } else { SlugOrigin::Typed };
            }
            _ => {}
        }
        self.refusal = None;
        self.confirmation = Confirmation::NotPlanned;
        self.advance = Advance::Asked;
    }

    /// What is wrong with a field, as a sentence; `None` if it is valid.
    pub(crate) fn problem(&self, field: &WizardField, offer: Catalogue<'_>) -> Option<String> {
        match field {
            WizardField::Name if self.name.value().trim().chars().count() > MAX_NAME => {
                Some(format!("at most {MAX_NAME} characters"))
            }
            WizardField::Slug => self.slug_problem(offer.tenants),
            WizardField::Labels => self.parsed_labels().err(),
            WizardField::Blueprint if self.is_awaited(field) => Some("no blueprint is known yet".to_owned()),
            WizardField::Target if self.is_awaited(field) => Some("no target is known yet".to_owned()),
            WizardField::Setting(name) => {
                let setting = self.chosen(offer)?.settings.get(name)?;
                number(self.settings.get(name)?.value(), setting).err()
            }
            _ => None,
        }
    }

    fn slug_problem(&self, tenants: &Tenants) -> Option<String> {
        let text = self.slug.value();
        if text.is_empty() {
            return Some("a name is needed: it is derived from the display name, or typed here".to_owned());
        }
        match Slug::parse(text) {
            Err(error) => Some(error.to_string()),
            Ok(_) => tenants.living(text).map(|tenant| {
                format!("a tenant of this name exists ({})", tenant.state.name().replace('_', " "))
            }),
        }
    }

    /// The fields of the step that are not valid, from top to bottom.
    pub(crate) fn problems(&self, offer: Catalogue<'_>) -> impl Iterator<Item = WizardField> {
        self.fields(offer).into_iter().filter(move |field| self.problem(field, offer).is_some())
    }

    /// Whether all that is wrong with a field is that the daemon has not yet said what it offers.
    pub(crate) const fn is_awaited(&self, field: &WizardField) -> bool {
        match field {
            WizardField::Blueprint => self.blueprint.is_none(),
            WizardField::Target => self.target.is_none(),
            _ => false,
        }
    }

    fn parsed_labels(&self) -> Result<BTreeMap<String, String>, String> {
        let mut labels = BTreeMap::new();
        for part in self.labels.value().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    labels.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                _ => {
                    return Err(format!(
                        "'{part}' is no label: write name=value, with commas between labels"
                    ));
                }
            }
        }
        Ok(labels)
    }

    /// The request that the inputs make, for the plan; [`Self::approved`] adds the approval.
    pub(crate) fn request(&self, offer: Catalogue<'_>) -> ProvisionRequest {
        let name = self.name.value().trim();
        let mut request = ProvisionRequest {
            slug: self.slug.value().to_owned(),
            display_name: (!name.is_empty()).then(|| name.to_owned()),
            labels: self.parsed_labels().unwrap_or_default(),
            target: self.target.as_ref().map(ToString::to_string),
            seed: self.seed == Seed::Yes,
            ..ProvisionRequest::default()
        };
        if let Some(blueprint) = self.chosen(offer) {
            request.blueprint = blueprint.name.to_string();
            request.version = Some(blueprint.version.to_string());
            request.seed &= !blueprint.seed.is_empty();
            for (name, setting) in &blueprint.settings {
                let typed = self.settings.get(name).and_then(|input| number(input.value(), setting).ok());
                request.settings.insert(name.clone(), typed.unwrap_or(setting.default));
            }
        }
        request
    }

    /// The request for exactly the plan on the screen.
    pub(crate) fn approved(&self, offer: Catalogue<'_>) -> Option<ProvisionRequest> {
        match &self.confirmation {
            Confirmation::Planned { plan, key } if is_runnable(plan) => {
                let mut request = self.request(offer);
                request.approve = Some(plan.hash.clone());
                request.idempotency_key = Some(key.clone());
                Some(request)
            }
            _ => None,
        }
    }

    pub(crate) const fn plan(&self) -> Option<&Plan> {
        match &self.confirmation {
            Confirmation::Planned { plan, .. } | Confirmation::Starting { plan, .. } => Some(plan),
            _ => None,
        }
    }
}

/// No finding prevents it.
pub(crate) fn is_runnable(plan: &Plan) -> bool {
    plan.findings.iter().all(|finding| finding.severity != Severity::Error)
}

fn number(text: &str, setting: &Setting) -> Result<i64, String> {
    let range = || format!("a whole number from {} to {} is needed", setting.min, setting.max);
    let value: i64 = text.trim().parse().map_err(|_| range())?;
    if (setting.min..=setting.max).contains(&value) { Ok(value) } else { Err(range()) }
}
