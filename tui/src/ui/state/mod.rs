//! Everything the console knows. Plain data, with the queries that views and updates make of it.
//!
//! Invariant: `screens` is never empty and begins with the list of tenants; the last one is shown.
//! No I/O, no clock: the time is the one of the last tick.

pub(crate) mod audit;
pub(crate) mod bulk;
pub(crate) mod credentials;
pub(crate) mod fleet;
pub(crate) mod fuzzy;
pub(crate) mod isolation;
pub(crate) mod operation;
pub(crate) mod operations;
pub(crate) mod palette;
pub(crate) mod plan_text;
pub(crate) mod rollback;
pub(crate) mod sorting;
pub(crate) mod tenants;
pub(crate) mod upgrade_plan;
pub(crate) mod upgrades;
pub(crate) mod verdict;
pub(crate) mod verifying;
pub(crate) mod wizard;

use std::collections::BTreeMap;

use tenantry_protocol::ApiError;
use tenantry_protocol::audit::AuditEvent;
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::Slug;
use tenantry_protocol::session::HelloResponse;
use tenantry_protocol::target::Target;
use tenantry_protocol::tenant::{Tenant, TenantDetail};
use time::OffsetDateTime;

use audit::AuditScreen;
use audit::chain::Chain;
use audit::export::{ExportScreen, Exporting};
use audit::record::{Record, RecordScreen};
use bulk::BulkRollback;
use credentials::CredentialsScreen;
use fleet::FleetScreen;
use isolation::IsolationScreen;
use operation::{Live, OperationScreen};
use operations::OperationsScreen;
use palette::Palette;
use rollback::RollbackDialog;
use tenants::Tenants;
use upgrade_plan::UpgradePlanScreen;
use upgrades::{UpgradeScreen, Upgrades, UpgradesScreen};
use verifying::Verifying;
use wizard::Wizard;

use super::ticket::Ticket;

/// How many problems of a tenant's isolation its own screen shows; the report has all of them.
pub(crate) const MOST_WRONG: usize = 5;

/// The most operations that are kept; the oldest finished ones are dropped first.
const MAX_OPERATIONS: usize = 200;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) now: OffsetDateTime,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    pub(crate) colours: Colours,
    pub(crate) connection: Connection,
    /// The answer to the last hello; kept when the connection is lost.
    pub(crate) session: Option<HelloResponse>,
    pub(crate) tenants: Tenants,
    pub(crate) blueprints: Vec<Blueprint>,
    pub(crate) targets: Vec<Target>,
    pub(crate) operations: BTreeMap<OperationId, Live>,
    pub(crate) upgrades: Upgrades,
    pub(crate) screens: Vec<Screen>,
    /// A wizard that was left; `n` continues with it.
    pub(crate) draft: Option<Box<Wizard>>,
    pub(crate) overlay: Overlay,
    /// One sentence above the hints; the next key removes it.
    pub(crate) notice: Option<String>,
    /// The operation that was requested without a dialog; its screen opens once it is accepted.
    pub(crate) beginning: Option<Ticket>,
    /// Verifications that were requested and have not ended.
    pub(crate) verifying: Option<Verifying>,
    pub(crate) chain: Chain,
    pub(crate) exporting: Option<Exporting>,
    /// The folder that the console was started in, where exports go.
    pub(crate) folder: String,
    /// The screen differs from what was drawn last.
    pub(crate) dirty: bool,
    last_ticket: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    Sixteen,
    /// `NO_COLOR`: only bold, dim and reversed.
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Connection {
    Connecting,
    Live,
    Lost { since: OffsetDateTime, reason: String },
}

#[derive(Debug)]
pub(crate) enum Overlay {
    None,
    Help { top: usize },
    Palette(Box<Palette>),
}

#[derive(Debug)]
pub(crate) enum Screen {
    Tenants,
    Tenant(Box<TenantScreen>),
    Wizard(Box<Wizard>),
    Operation(Box<OperationScreen>),
    Credentials(Box<CredentialsScreen>),
    Rollback(Box<RollbackDialog>),
    Bulk(Box<BulkRollback>),
    Operations(OperationsScreen),
    Audit(Box<AuditScreen>),
    Record(Box<RecordScreen>),
    Export(Box<ExportScreen>),
    Isolation(Box<IsolationScreen>),
    Fleet(FleetScreen),
    Upgrades(UpgradesScreen),
    Upgrade(Box<UpgradeScreen>),
    UpgradePlan(Box<UpgradePlanScreen>),
}

impl Screen {
    /// Ages or elapsed times are on it, so that it is drawn again as time goes by.
    pub(crate) const fn shows_time(&self) -> bool {
        match self {
            Self::Tenants
            | Self::Tenant(_)
            | Self::Operation(_)
            | Self::Operations(_)
            | Self::Isolation(_)
            | Self::Fleet(_)
            | Self::Upgrades(_)
            | Self::Upgrade(_)
            | Self::Audit(_) => true,
            Self::Wizard(_)
            | Self::Credentials(_)
            | Self::Rollback(_)
            | Self::Bulk(_)
            | Self::Record(_)
            | Self::UpgradePlan(_)
            | Self::Export(_) => false,
        }
    }

    /// News of a tenant change what is on it.
    pub(crate) const fn shows_tenants(&self) -> bool {
        matches!(self, Self::Tenants | Self::Tenant(_) | Self::Fleet(_))
    }

    /// News of an operation change what is on it.
    pub(crate) const fn shows_operations(&self) -> bool {
        matches!(self, Self::Operation(_) | Self::Operations(_) | Self::Bulk(_) | Self::Tenants)
    }

    /// News of an upgrade of many tenants change what is on it.
    pub(crate) const fn shows_upgrades(&self) -> bool {
        matches!(self, Self::Upgrades(_) | Self::Upgrade(_))
    }

    /// The first line that is shown, and the last that can be, of a screen that is lines and nothing else. `body` rows are there for
    /// it, and `columns` for a report.
    pub(crate) fn lines_at(&mut self, body: usize, columns: usize) -> Option<(&mut usize, usize)> {
        match self {
            Self::Tenant(screen) => {
                let last = screen.lines().saturating_sub(body);
                Some((&mut screen.top, last))
            }
            Self::Isolation(screen) => {
                // The headline stays.
                let rows = body.saturating_sub(isolation::REPORT_HEAD);
                let last = screen.lines(columns).len().saturating_sub(rows);
                Some((&mut screen.top, last))
            }
            Self::UpgradePlan(screen) => {
                let last = screen.lines(columns).len().saturating_sub(body);
                Some((&mut screen.top, last))
            }
            Self::Record(screen) => {
                let last = screen.lines(columns).len().saturating_sub(body);
                Some((&mut screen.top, last))
            }
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct TenantScreen {
    pub(crate) id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) detail: Answer<Box<TenantDetail>>,
    /// The first line on the screen.
    pub(crate) top: usize,
}

impl TenantScreen {
    /// The most lines that the screen can have, give or take a wrapped sentence: the limit of scrolling.
    pub(crate) fn lines(&self) -> usize {
        const FACTS: usize = 16;
        match &self.detail {
            Answer::Given(detail) => {
                let wrong = detail.isolation.as_ref().map_or(0, |report| report.problems().len());
                FACTS + wrong.min(MOST_WRONG) + detail.operations.len()
            }
            Answer::Awaited | Answer::Refused(_) => FACTS,
        }
    }
}

/// Something that was requested from the daemon.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    Awaited,
    Given(T),
    Refused(ApiError),
}

impl<T> From<Result<T, ApiError>> for Answer<T> {
    fn from(result: Result<T, ApiError>) -> Self {
        match result {
            Ok(value) => Self::Given(value),
            Err(error) => Self::Refused(error),
        }
    }
}

impl State {
    pub(crate) fn new(now: OffsetDateTime, size: (u16, u16), colours: Colours) -> Self {
        Self {
            now,
            size,
            colours,
            connection: Connection::Connecting,
            session: None,
            tenants: Tenants::default(),
            blueprints: Vec::new(),
            targets: Vec::new(),
            operations: BTreeMap::new(),
            upgrades: Upgrades::default(),
            screens: vec![Screen::Tenants],
            draft: None,
            overlay: Overlay::None,
            notice: None,
            beginning: None,
            verifying: None,
            chain: Chain::default(),
            exporting: None,
            folder: String::new(),
            dirty: true,
            last_ticket: 0,
        }
    }

    pub(crate) fn screen(&self) -> &Screen {
        self.screens.last().unwrap_or(&Screen::Tenants)
    }

    pub(crate) const fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// Rows between the lines at the top and the two lines at the bottom.
    pub(crate) fn body_rows(&self) -> usize {
        let alarm = u16::from(self.is_alarmed());
        usize::from(self.size.1.saturating_sub(3 + alarm)).max(1)
    }

    /// The trail has changed, and a line at the top says so; its own screen says it in full.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.chain.wrong().is_some() && !matches!(self.screen(), Screen::Audit(_))
    }

    /// The operation on the screen, in its present state.
    pub(crate) fn live(&self, screen: &OperationScreen) -> Option<&Live> {
        self.operations.get(&screen.id)
    }

    /// The tenant that the screen, or the selection on it, is about.
    pub(crate) fn tenant_at_hand(&self) -> Option<&Tenant> {
        match self.screen() {
            Screen::Tenants => self.tenants.selected(),
            Screen::Tenant(screen) => self.tenants.get(screen.id),
            Screen::Isolation(screen) => self.tenants.get(screen.id),
            Screen::Fleet(screen) => screen.selected(self),
            Screen::Operation(screen) => {
                self.live(screen).and_then(|live| self.tenants.get(live.operation.tenant_id))
            }
            Screen::Audit(_) | Screen::Record(_) => {
                self.tenants.named(self.event_at_hand()?.slug.as_deref()?)
            }
            Screen::Credentials(screen) => self.tenants.living(screen.slug.as_str()),
            Screen::Operations(screen) => {
                screen.selected(self).and_then(|live| self.tenants.get(live.operation.tenant_id))
            }
            Screen::Upgrade(screen) => self.tenants.living(screen.selected()?.example.as_str()),
            Screen::Wizard(_)
            | Screen::Rollback(_)
            | Screen::Bulk(_)
            | Screen::Export(_)
            | Screen::UpgradePlan(_)
            | Screen::Upgrades(_) => None,
        }
    }

    /// The event of the trail that is selected or shown.
    pub(crate) fn event_at_hand(&self) -> Option<&AuditEvent> {
        match self.screen() {
            Screen::Audit(screen) => screen.selected(),
            Screen::Record(screen) => match &screen.record {
                Record::Event(event) => Some(event),
                Record::Verdict(_) => None,
            },
            _ => None,
        }
    }

    /// The operation that the selection, or the screen, leads to.
    pub(crate) fn operation_at_hand(&self) -> Option<OperationId> {
        match self.screen() {
            Screen::Tenants => self.tenants.selected()?.last_operation.as_ref().map(|last| last.id),
            Screen::Tenant(screen) => match &screen.detail {
                Answer::Given(detail) => detail.operations.first().map(|operation| operation.id),
                _ => None,
            },
            Screen::Operations(screen) => screen.selected(self).map(|live| live.operation.id),
            Screen::Audit(_) | Screen::Record(_) => {
                self.event_at_hand()?.operation_id.as_deref()?.parse().ok()
            }
            _ => None,
        }
    }

    /// Goes back to the list of tenants; a wizard that is left on the way stays as the draft.
    pub(crate) fn leave_to_list(&mut self) {
        for screen in self.screens.drain(1..) {
            if let Screen::Wizard(wizard) = screen {
                self.draft = Some(wizard);
            }
        }
    }

    /// Keeps the newest state of an operation, and drops the oldest finished operation if there are too many.
    pub(crate) fn keep_operation(&mut self, operation: tenantry_protocol::operation::Operation) {
        let id = operation.id;
        match self.operations.get_mut(&id) {
            // A request that was under way when the end was announced must not bring the operation back to life.
            Some(live) if live.operation.state.is_final() && !operation.state.is_final() => {}
            Some(live) => live.operation = operation,
            None => {
                self.operations.insert(id, Live::new(operation));
            }
        }
        if self.operations.len() > MAX_OPERATIONS {
            // Identifiers sort by time: the first finished one is the oldest.
            let oldest = self.operations.iter().find(|(_, live)| live.operation.state.is_final());
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.operations.remove(&oldest);
            }
        }
    }

    /// How often the screen has to be drawn because time passes, in ms.
    pub(crate) fn tick_ms(&self) -> u64 {
        let running = match self.screen() {
            Screen::Operation(screen) => {
                self.live(screen).is_some_and(|live| !live.operation.state.is_final())
            }
            Screen::Operations(_) | Screen::Bulk(_) => {
                self.operations.values().any(|live| !live.operation.state.is_final())
            }
            Screen::Upgrades(_) | Screen::Upgrade(_) => self.upgrades.running() > 0,
            _ => false,
        };
        match (&self.connection, running) {
            (_, true) => 250,
            (Connection::Lost { .. }, false) => 1_000,
            _ => 60_000,
        }
    }
}
