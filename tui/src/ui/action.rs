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
}

/// What can be shown from any screen, without a word more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Tenants,
    Operations,
    /// How isolated all tenants are.
    Isolation,
}

impl Place {
    /// Those that are commands of the palette. `isolation` is one that takes a tenant, too.
    pub(crate) const COMMANDS: [Self; 2] = [Self::Operations, Self::Tenants];

    /// The command, and what it means.
    pub(crate) const fn command(self) -> (&'static str, &'static str) {
        match self {
            Self::Tenants => ("tenants", "the list of tenants"),
            Self::Operations => ("operations", "what runs and what ran"),
            Self::Isolation => ("isolation", "the grades of all"),
        }
    }
}
