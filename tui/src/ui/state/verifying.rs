//! Verifications that were requested here: of one tenant, or of several one after the other.
//!
//! Invariant: the tenants are those that were active or suspended at the request, and one is attacked at a time. It belongs
//! to the console and not to a screen, so that leaving a screen stops nothing. A verification that fails does not stop the
//! others.

use std::collections::VecDeque;

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::Grade;
use tenantry_protocol::name::Slug;

use crate::ui::ticket::Ticket;

#[derive(Debug, Default)]
pub(crate) struct Verifying {
    pub(crate) at_work: Option<AtWork>,
    waiting: VecDeque<(TenantId, Slug)>,
    results: Vec<(Slug, Result<Grade, String>)>,
}

/// The tenant that is being verified, and the progress of that.
#[derive(Debug)]
pub(crate) struct AtWork {
    pub(crate) id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) phase: VerifyingPhase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyingPhase {
    Asked(Ticket),
    Running(OperationId),
    /// The verification is over, and its verdict is being read.
    Reading,
}

impl Verifying {
    /// Queues a tenant; one that is queued already is not queued twice.
    pub(crate) fn add(&mut self, id: TenantId, slug: Slug) {
        if !self.is_at(id) && !self.waiting.iter().any(|(waiting, _)| *waiting == id) {
            self.waiting.push_back((id, slug));
        }
    }

    /// Starts the next one, if none is at work and one waits.
    pub(crate) fn next(&mut self, ticket: Ticket) -> Option<TenantId> {
        if self.at_work.is_some() {
            return None;
        }
        let (id, slug) = self.waiting.pop_front()?;
        self.at_work = Some(AtWork { id, slug, phase: VerifyingPhase::Asked(ticket) });
        Some(id)
    }

    /// Takes the result of the one at work.
    pub(crate) fn conclude(&mut self, result: Result<Grade, String>) {
        if let Some(done) = self.at_work.take() {
            self.results.push((done.slug, result));
        }
    }

    /// The tenants after the one at work are not verified.
    pub(crate) fn stop(&mut self) {
        self.waiting.clear();
    }

    pub(crate) fn is_at(&self, id: TenantId) -> bool {
        self.at_work.as_ref().is_some_and(|at_work| at_work.id == id)
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at_work.is_none() && self.waiting.is_empty()
    }

    /// `verifying acme`, `verifying 3 of 12: acme · F initech`
    pub(crate) fn progress(&self) -> String {
        let Some(at_work) = &self.at_work else { return String::new() };
        let (done, waiting) = (self.results.len(), self.waiting.len());
        if done + waiting == 0 {
            return format!("verifying {}", at_work.slug);
        }
        let stop = if waiting > 0 { " · x stops" } else { "" };
        let all = done + 1 + waiting;
        format!("verifying {} of {all}: {}{}{stop}", done + 1, at_work.slug, self.bad())
    }

    /// The results, in one sentence.
    pub(crate) fn summary(&self) -> String {
        match self.results.as_slice() {
            [] => "nothing was verified".to_owned(),
            [(slug, Ok(grade))] => format!("{}; i shows the report", verdict(slug, *grade)),
            [(slug, Err(why))] => format!("✗ {slug} could not be verified: {why}"),
            several => {
                let count = |wanted| several.iter().filter(|(_, result)| *result == Ok(wanted)).count();
                let grades = [Grade::A, Grade::B, Grade::F].map(|grade| (count(grade), grade.to_string()));
                let failed = several.iter().filter(|(_, result)| result.is_err()).count();
                let parts: Vec<String> = grades
                    .into_iter()
                    .chain([(failed, "without a verdict".to_owned())])
                    .filter(|(number, _)| *number > 0)
                    .map(|(number, what)| format!("{number} {what}"))
                    .collect();
                let bad = self.bad();
                let glyph = if bad.is_empty() { '✓' } else { '✗' };
                let why = several.iter().find_map(|(_, result)| result.as_ref().err());
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                format!("{glyph} {} verified: {}{bad}{why}", several.len(), parts.join(", "))
            }
        }
    }

    /// The first few tenants that do not hold or have no verdict, by name.
    fn bad(&self) -> String {
        const NAMED: usize = 3;
        let holds = |result: &Result<Grade, String>| matches!(result, Ok(Grade::A | Grade::B));
        let bad = self.results.iter().filter(|(_, result)| !holds(result)).map(|(slug, _)| slug.as_str());
        let bad: Vec<&str> = bad.collect();
        let named = bad.iter().copied().take(NAMED).collect::<Vec<_>>().join(", ");
        match bad.len() {
            0 => String::new(),
            number if number > NAMED => format!(" · look at {named} and {} more", number - NAMED),
            _ => format!(" · look at {named}"),
        }
    }
}

/// `✓ acme: grade A`
fn verdict(slug: &Slug, grade: Grade) -> String {
    match grade {
        Grade::A => format!("✓ {slug}: grade A, every attack was refused"),
        Grade::B => format!("! {slug}: grade B, something is open that an administrator can close"),
        Grade::F => format!("✗ {slug}: grade F, its isolation does not hold"),
        Grade::Other => format!("? {slug}: a grade that this release does not know"),
    }
}
