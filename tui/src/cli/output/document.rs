//! The documents that commands print with `--json`, where they are more than one call's answer; and a list of all of them.
//!
//! They are a contract: fields are added, never renamed or removed. Each document has a type here or in the protocol, from
//! which its schema is generated; none is put together from loose values.

use std::path::Path;

use schemars::{JsonSchema, Schema};
use serde::Serialize;
use tenantry_protocol::ErrorCode;
use tenantry_protocol::archive::Archive;
use tenantry_protocol::audit::{
    AuditEvent, AuditHold, AuditKey, AuditPruned, AuditRedacted, AuditResponse, AuditSegments, AuditVerdict,
    ExportFormat,
};
use tenantry_protocol::blueprint::{Blueprint, BlueprintReport, BlueprintsResponse};
use tenantry_protocol::isolation::{Grade, IsolationReport};
use tenantry_protocol::name::{BlueprintVersion, Slug};
use tenantry_protocol::operation::OperationState;
use tenantry_protocol::operation::{Operation, OperationsResponse};
use tenantry_protocol::plan::{Finding, Plan};
use tenantry_protocol::schema::schema_of_output;
use tenantry_protocol::session::{Health, HelloResponse};
use tenantry_protocol::target::TargetsResponse;
use tenantry_protocol::tenant::drift::{Drift, DriftState};
use tenantry_protocol::tenant::{Credentials, RotationFinished, Tenant, TenantDetail};
use tenantry_protocol::upgrade::{Upgrade, UpgradePlan, UpgradeStatus, UpgradeUnit, UpgradesResponse};
use tenantry_protocol::watch::Event;

use crate::cli::error::CliError;
use crate::format;

/// `status`: who the daemon takes the caller for, and how it is.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Status<'a> {
    pub(in crate::cli) session: &'a HelloResponse,
    pub(in crate::cli) health: &'a Health,
}

/// `tenant create`: what was made, or with `--no-wait` what was accepted.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct TenantCreated<'a> {
    pub(in crate::cli) tenant: &'a Tenant,
    pub(in crate::cli) operation: &'a Operation,
    /// Absent with `--no-wait`: ask for them with `tenant credentials`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) credentials: Option<HandedCredentials>,
    /// From the command's request to its end, in ms, as this program measured it.
    pub(in crate::cli) duration_ms: f64,
}

/// `tenant list`: all pages of it.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct TenantList {
    pub(in crate::cli) total: usize,
    pub(in crate::cli) tenants: Vec<Tenant>,
    /// Those of them for which there is a newer version of their blueprint.
    pub(in crate::cli) behind: Vec<BehindTenant>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct BehindTenant {
    pub(in crate::cli) slug: Slug,
    pub(in crate::cli) version: BlueprintVersion,
    /// The newest version that is stored.
    pub(in crate::cli) newest: BlueprintVersion,
}

/// A command that changes a tenant: the operation at its end, or with `--no-wait` as it was accepted.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct TenantChanged<'a> {
    /// As it is then; absent with `--no-wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) tenant: Option<&'a Tenant>,
    pub(in crate::cli) operation: &'a Operation,
    /// From request to end, in ms; absent with `--no-wait`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) duration_ms: Option<f64>,
    /// The archive that was made, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) archive: Option<&'a Archive>,
}

/// `operation cancel`: the operation at its end, or with `--no-wait` as it was asked to end.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct OperationCancelled<'a> {
    pub(in crate::cli) operation: &'a Operation,
    /// From request to end, in ms; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) duration_ms: Option<f64>,
}

/// `tenant credentials SLUG finish`.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Rotated<'a> {
    pub(in crate::cli) rotation: &'a RotationFinished,
}

/// `tenant credentials SLUG issue`.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct CredentialsIssued {
    pub(in crate::cli) credentials: HandedCredentials,
}

/// A login, and where its password is: here, in a file, or given once before.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct HandedCredentials {
    #[serde(flatten)]
    pub(in crate::cli) credentials: Credentials,
    /// A connection URL with the password in it; only where the password is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) url: Option<String>,
    /// The file with the password, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) file: Option<String>,
}

impl HandedCredentials {
    /// With the password, if there is one.
    pub(in crate::cli) fn open(credentials: Credentials) -> Self {
        let url = credentials.password.as_ref().map(|password| format::url(&credentials, password));
        Self { credentials, url, file: None }
    }

    /// Without the password, which is in `file`.
    pub(in crate::cli) fn in_file(credentials: Credentials, file: &Path) -> Self {
        let credentials = Credentials { password: None, ..credentials };
        Self { credentials, url: None, file: Some(file.display().to_string()) }
    }
}

/// `tenant verify`: what the attack found.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct TenantVerified<'a> {
    pub(in crate::cli) tenant: &'a Tenant,
    pub(in crate::cli) operation: &'a Operation,
    pub(in crate::cli) grade: Grade,
    pub(in crate::cli) report: &'a IsolationReport,
}

/// `tenant verify --all`: every tenant's verdict.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct FleetVerified {
    pub(in crate::cli) tenants: Vec<Verified>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Verified {
    pub(in crate::cli) slug: String,
    /// Null if it could not be verified.
    pub(in crate::cli) grade: Option<Grade>,
    /// What speaks against it, or why it could not be verified.
    pub(in crate::cli) problems: Vec<String>,
}

/// `tenant drift --all`: the tenants that have drifted, or that nobody can tell that of.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct DriftOfAll {
    /// How many were compared.
    pub(in crate::cli) total: usize,
    pub(in crate::cli) drifted: usize,
    /// How many could not be compared.
    pub(in crate::cli) unknown: usize,
    /// Without those that are in sync.
    pub(in crate::cli) tenants: Vec<DriftOfOne>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct DriftOfOne {
    pub(in crate::cli) slug: String,
    /// Null if there was no answer.
    pub(in crate::cli) state: Option<DriftState>,
    pub(in crate::cli) differences: u64,
    /// The first of them, in short: `~ column orders.total`.
    pub(in crate::cli) first: Option<String>,
    /// Why it could not be compared.
    pub(in crate::cli) problem: Option<String>,
}

/// `blueprint init`: what was written where, and what a check says of the folder.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct BlueprintInitialised {
    pub(in crate::cli) path: String,
    pub(in crate::cli) manifest: String,
    pub(in crate::cli) findings: Vec<Finding>,
}

/// `blueprint show`: one version, and which others there are.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct BlueprintShown<'a> {
    pub(in crate::cli) blueprint: &'a Blueprint,
    /// All that match, the newest first.
    pub(in crate::cli) versions: Vec<String>,
}

/// `upgrade tenants` and `upgrade failures`: all pages of them.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct UpgradeTenants<'a> {
    pub(in crate::cli) upgrade: &'a Upgrade,
    pub(in crate::cli) units: Vec<UpgradeUnit>,
}

/// `audit verify`: what was found.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct AuditVerified<'a> {
    /// Whether the trail is what it was; if not, `verdict.break` says where and how.
    pub(in crate::cli) is_whole: bool,
    /// The export that was verified; absent for the daemon's own trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) file: Option<String>,
    pub(in crate::cli) verdict: &'a AuditVerdict,
}

/// `audit export --output FILE`.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct AuditExported {
    pub(in crate::cli) file: String,
    pub(in crate::cli) format: ExportFormat,
    pub(in crate::cli) events: u64,
    /// The newest event that it can hold.
    pub(in crate::cli) to_seq: i64,
    pub(in crate::cli) bytes: u64,
}

/// `demo`: what became of its sample tenants.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Demo<'a> {
    pub(in crate::cli) tenants: Vec<DemoTenant<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct DemoTenant<'a> {
    pub(in crate::cli) tenant: &'a Tenant,
    /// Null if it was not verified.
    pub(in crate::cli) isolation: Option<&'a IsolationReport>,
    pub(in crate::cli) operation: &'a Operation,
    /// What brought it to later versions, in their order.
    pub(in crate::cli) upgrades: &'a [Operation],
}

/// Any command that ended otherwise than well and had printed nothing yet.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Failed<'a> {
    pub(in crate::cli) error: Fault,
    /// The operation that failed, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) operation: Option<&'a Operation>,
}

#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Fault {
    /// A code of the daemon, `operation_failed` or `interrupted`.
    pub(in crate::cli) code: String,
    /// What is wrong, and what to do next.
    pub(in crate::cli) message: String,
    /// The argument that it is about, or null.
    pub(in crate::cli) field: Option<String>,
}

/// `schema` without a name: what it can be asked for.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct SchemaNames {
    pub(in crate::cli) methods: Vec<String>,
    pub(in crate::cli) documents: Vec<String>,
}

/// `schema NAME` for a method of the daemon.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct MethodSchemas {
    pub(in crate::cli) method: String,
    pub(in crate::cli) request: Schema,
    pub(in crate::cli) response: Schema,
}

/// `schema NAME` for the document of a command.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct DocumentSchema {
    /// The command, and when it prints this document.
    pub(in crate::cli) command: String,
    pub(in crate::cli) document: Schema,
}

/// Every document, by the words of its command. `error` is what any of them prints when it fails; `operation watch` and
/// `audit list --follow` print one document per line.
pub(in crate::cli) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("status", schema_of_output::<Status>()),
        ("tenant create", schema_of_output::<TenantCreated>()),
        ("tenant create --plan", schema_of_output::<Plan>()),
        ("tenant list", schema_of_output::<TenantList>()),
        ("tenant show", schema_of_output::<TenantDetail>()),
        ("tenant rollback", schema_of_output::<TenantChanged>()),
        ("tenant suspend", schema_of_output::<TenantChanged>()),
        ("tenant resume", schema_of_output::<TenantChanged>()),
        ("tenant update", schema_of_output::<TenantChanged>()),
        ("tenant upgrade", schema_of_output::<TenantChanged>()),
        ("tenant retire", schema_of_output::<TenantChanged>()),
        ("tenant verify", schema_of_output::<TenantVerified>()),
        ("tenant verify --all", schema_of_output::<FleetVerified>()),
        ("tenant drift", schema_of_output::<Drift>()),
        ("tenant drift --all", schema_of_output::<DriftOfAll>()),
        ("tenant credentials issue", schema_of_output::<CredentialsIssued>()),
        ("tenant credentials rotate", schema_of_output::<CredentialsIssued>()),
        ("tenant credentials finish", schema_of_output::<Rotated>()),
        ("blueprint list", schema_of_output::<BlueprintsResponse>()),
        ("blueprint init", schema_of_output::<BlueprintInitialised>()),
        ("blueprint show", schema_of_output::<BlueprintShown>()),
        ("blueprint check", schema_of_output::<BlueprintReport>()),
        ("blueprint add", schema_of_output::<BlueprintReport>()),
        ("blueprint upgrade", schema_of_output::<UpgradeStatus>()),
        ("blueprint upgrade --plan", schema_of_output::<UpgradePlan>()),
        ("blueprint upgrade --plan --rehearse", schema_of_output::<UpgradePlan>()),
        ("blueprint downgrade", schema_of_output::<UpgradeStatus>()),
        ("blueprint downgrade --plan", schema_of_output::<UpgradePlan>()),
        ("blueprint downgrade --plan --rehearse", schema_of_output::<UpgradePlan>()),
        ("upgrade list", schema_of_output::<UpgradesResponse>()),
        ("upgrade show", schema_of_output::<UpgradeStatus>()),
        ("upgrade watch", schema_of_output::<UpgradeStatus>()),
        ("upgrade tenants", schema_of_output::<UpgradeTenants>()),
        ("upgrade failures", schema_of_output::<UpgradeTenants>()),
        ("upgrade pause", schema_of_output::<UpgradeStatus>()),
        ("upgrade resume", schema_of_output::<UpgradeStatus>()),
        ("upgrade cancel", schema_of_output::<UpgradeStatus>()),
        ("upgrade retry", schema_of_output::<UpgradeStatus>()),
        ("target list", schema_of_output::<TargetsResponse>()),
        ("target show", schema_of_output::<TargetsResponse>()),
        ("target check", schema_of_output::<TargetsResponse>()),
        ("operation list", schema_of_output::<OperationsResponse>()),
        ("operation show", schema_of_output::<Operation>()),
        ("operation watch", schema_of_output::<Event>()),
        ("operation cancel", schema_of_output::<OperationCancelled>()),
        ("operation retry", schema_of_output::<TenantChanged>()),
        ("audit list", schema_of_output::<AuditResponse>()),
        ("audit list --follow", schema_of_output::<AuditEvent>()),
        ("audit show", schema_of_output::<AuditEvent>()),
        ("audit verify", schema_of_output::<AuditVerified>()),
        ("audit export", schema_of_output::<AuditExported>()),
        ("audit key", schema_of_output::<AuditKey>()),
        ("audit rotate-key", schema_of_output::<AuditKey>()),
        ("audit acknowledge", schema_of_output::<AuditEvent>()),
        ("audit redact", schema_of_output::<AuditRedacted>()),
        ("audit segments", schema_of_output::<AuditSegments>()),
        ("audit hold", schema_of_output::<AuditHold>()),
        ("audit release", schema_of_output::<AuditHold>()),
        ("audit prune", schema_of_output::<AuditPruned>()),
        ("demo", schema_of_output::<Demo>()),
        ("schema", schema_of_output::<SchemaNames>()),
        ("error", schema_of_output::<Failed>()),
    ]
}

/// The document of an error for `--json`; `None` if standard output holds its document already, or cannot hold one.
pub(in crate::cli) fn failed(error: &CliError) -> Option<Failed<'_>> {
    let (code, field) = match error {
        CliError::Client(error) => (code_name(error.code()), error.field()),
        CliError::Invalid { field, .. } => (code_name(ErrorCode::InvalidArgument), field.as_deref()),
        CliError::File { .. } => (code_name(ErrorCode::InvalidArgument), None),
        CliError::Failed(operation) => match operation.state {
            OperationState::NeedsAttention { .. } => (code_name(ErrorCode::NeedsAttention), None),
            _ => ("operation_failed".to_owned(), None),
        },
        CliError::Interrupted(_) => ("interrupted".to_owned(), None),
        CliError::Demo(_) => (code_name(ErrorCode::Unavailable), None),
        CliError::Bug(_) | CliError::Console(_) => (code_name(ErrorCode::Internal), None),
        CliError::Findings(_)
        | CliError::Attention(_)
        | CliError::Unhealthy(_)
        | CliError::ReaderGone
        | CliError::Output(_) => return None,
    };
    let operation = match error {
        CliError::Failed(operation) => Some(&**operation),
        _ => None,
    };
    let error = Fault { code, message: error.to_string(), field: field.map(str::to_owned) };
    Some(Failed { error, operation })
}

/// The code as it appears on the wire.
fn code_name(code: ErrorCode) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => name,
        _ => "internal".to_owned(),
    }
}
