//! What an operator can do in the console; the keymap says which key does it, and when.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Quit,
    Suspend,
    Help,
    Palette,
    Back,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Open,
    New,
    Rollback,
    Filter,
    Audit,
    LastOperation,
    Show(Place),
    Reload,
    Mark,
    MarkAll,
    Sort,
    Reverse,
    NextField,
    PreviousField,
    NextChoice,
    PreviousChoice,
    Continue,
    Complete,
    Approve,
    ToggleSql,
    Credentials,
    IssueCredentials,
    Copy,
    CopyPassword,
    Retry,
    RetryAsIs,
    Cancel,
    SuspendTenant,
    ResumeTenant,
    RollbackMarked,
    RollBackNow,
    Verify,
    VerifyAll,
    StopVerifying,
    Isolation,
    Evidence,
    CopyJson,
    Details,
    Tail,
    VerifyTrail,
    Verdict,
    Export,
    StopExport,
    OpenUpgrade,
    /// Ask what an upgrade of all tenants of this blueprint would do.
    PlanUpgrade,
    /// Try the planned upgrade on blank placements.
    RehearseUpgrade,
    /// Ask whether the upgrade is meant to be cancelled.
    CancelUpgrade,
    Steer(Hand),
}

/// What an operator can do to an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    Pause,
    Resume,
    Cancel,
    /// Try its failures again.
    Retry,
}

/// What can be shown from any screen, without a word more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Tenants,
    Operations,
    /// How isolated all tenants are.
    Isolation,
    /// Upgrades of many tenants.
    Upgrades,
}

impl Place {
    /// In the order of the palette.
    pub(crate) const ALL: [Self; 4] = [Self::Operations, Self::Upgrades, Self::Tenants, Self::Isolation];

    /// The command of the palette that does nothing else, and what it means.
    pub(crate) const fn command(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Tenants => Some(("tenants", "the list of tenants")),
            Self::Operations => Some(("operations", "what runs and what ran")),
            Self::Upgrades => Some(("upgrades", "blueprints that reach all their tenants")),
            // The command `isolation` also takes a tenant.
            Self::Isolation => None,
        }
    }
}
