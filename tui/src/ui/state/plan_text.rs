//! A plan as lines for the confirmation step. Pure; the view decides how a line looks.
//! The update uses it too, to know how far the plan can be scrolled.

use tenantry_protocol::plan::{Finding, Plan, Severity};

use super::wizard::Sql;
use crate::format;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanLine {
    pub(crate) kind: LineKind,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    Fine,
    Warning,
    Error,
    Step,
    File,
    Sql,
}

pub(crate) fn lines(plan: &Plan, sql: Sql) -> Vec<PlanLine> {
    let mut lines: Vec<PlanLine> = plan.findings.iter().map(finding).collect();
    for (number, step) in plan.steps.iter().enumerate() {
        let edge = if number + 1 == plan.steps.len() { '└' } else { '├' };
        let atomic = if step.atomic { " ┃" } else { "" };
        let count = match step.sql.len() {
            0 => String::new(),
            1 => " · 1 piece of SQL".to_owned(),
            count => format!(" · {count} pieces of SQL"),
        };
        let text = format!("{edge} {:<12} {}{count}{atomic}", step.step, step.title);
        lines.push(PlanLine { kind: LineKind::Step, text });
        if sql == Sql::Folded {
            continue;
        }
        for piece in &step.sql {
            if let Some(file) = &piece.file {
                lines.push(PlanLine {
                    kind: LineKind::File,
                    text: format!("│   -- {}", format::plan_file(file, piece)),
                });
            }
            let pieces = piece.text.trim_end().lines();
            lines.extend(pieces.map(|line| PlanLine { kind: LineKind::Sql, text: format!("│   {line}") }));
        }
    }
    lines
}

fn finding(finding: &Finding) -> PlanLine {
    let (kind, glyph) = match finding.severity {
        Severity::Ok => (LineKind::Fine, '✓'),
        Severity::Warning | Severity::Other => (LineKind::Warning, '!'),
        Severity::Error => (LineKind::Error, '✗'),
    };
    PlanLine { kind, text: format!("{glyph} {}", format::finding(finding)) }
}
