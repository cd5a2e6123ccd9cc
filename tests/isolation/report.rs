//! The written penetration report: what was tried, with which result, on which versions.

use std::fmt::Write as _;

use tenantry_harness::binaries::project_dir;
use tenantry_harness::isolation::{cases, planted};
use tenantry_protocol::isolation::IsolationReport;

use crate::{FleetProof, Proof};

pub(crate) fn write(proofs: &[Proof], tenants: usize) {
    let path = project_dir().join("docs/penetration-report.md");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text(proofs, tenants)).unwrap();
    println!("the report is in {}", path.display());
}

fn text(proofs: &[Proof], tenants: usize) -> String {
    let mut text = String::from(
        "# Penetration report\n\nWritten by `make isolation`; do not edit. What tenants of Tenantry tried on each other and on the \
         server, with what result.\n\nThe daemon's role was not a superuser (CREATEROLE and CREATEDB only), and the servers were as \
         their packages make them.\nAn attack counts as held off only if the server refused it with the SQLSTATE that was \
         expected, or if it saw what it was to see;\nany other error proves nothing and counts as a leak.\n\n",
    );
    versions(&mut text, proofs, tenants);
    text.push_str("## One tenant floods another\n\n");
    for proof in proofs {
        text.push_str(&proof.flood.account(&proof.version));
    }
    text.push('\n');
    misconfigurations(&mut text, proofs);
    hostile(&mut text, proofs);
    if let Some(proof) = proofs.first() {
        for fleet in &proof.fleets {
            tenancy(&mut text, fleet);
        }
    }
    text
}

fn versions(text: &mut String, proofs: &[Proof], tenants: usize) {
    let _ = writeln!(text, "## {tenants} tenants of each tenancy, in all ordered pairs\n");
    text.push_str(
        "| server | tenancy | pairs | attacks | leaks | grades | core attacks | the core's step | full battery |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for proof in proofs {
        for fleet in &proof.fleets {
            let mut grades = fleet.grades.clone();
            grades.dedup();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {:.1} ms | {:.0} ms | {:.0} ms |",
                proof.version,
                fleet.tenancy.name(),
                fleet.pairs.pairs,
                fleet.pairs.attacks,
                fleet.pairs.leaks.len(),
                grades.join(", "),
                fleet.core_ms,
                fleet.core_step_ms,
                fleet.full_ms
            );
        }
    }
    text.push_str(
        "\nTimes are medians over the tenants. A step has the login, fingerprints of the victim and the catalog lints beside \
         the attacks.\n\nGrade B: on a server as its package makes it, only an administrator can close what is named as open below. \
         `tenantry target check`\nnames the statements. The misconfigurations were planted on a server where they had been run, \
         with grade A before and after.\n\n",
    );
}

fn misconfigurations(text: &mut String, proofs: &[Proof]) {
    text.push_str("## Misconfigurations that the verifier had to catch\n\n");
    for proof in proofs {
        for refused in &proof.refused {
            let _ = writeln!(text, "- {}: the server itself refuses this one: {refused}.", proof.version);
        }
        let caught = proof.planted - proof.missed.len();
        let _ = writeln!(
            text,
            "- {}: {caught} of {} caught by the probe or lint that is named.",
            proof.version, proof.planted
        );
        let caught = proof.pools.planted - proof.pools.missed.len();
        let _ = writeln!(
            text,
            "- {}, in shared tables that stand: {caught} of {} caught.",
            proof.version, proof.pools.planted
        );
    }
    text.push_str("\n| planted | caught by |\n|---|---|\n");
    for planted in planted::planted().into_iter().chain(planted::planted_in_a_pool()) {
        let _ = writeln!(text, "| {} | {} |", planted.name, planted.caught_by);
    }
    text.push('\n');
}

fn hostile(text: &mut String, proofs: &[Proof]) {
    text.push_str("## Blueprints of shared tables that had to be refused\n\n");
    for proof in proofs {
        let refused = proof.pools.hostile - proof.pools.misjudged.len();
        let _ = writeln!(text, "- {}: {refused} of {} refused by name.", proof.version, proof.pools.hostile);
    }
    text.push_str("\n| hidden in a do block | refused with |\n|---|---|\n");
    for (what, _, says) in cases::CASES {
        let _ = writeln!(text, "| {what} | … {says} … |");
    }
    text.push('\n');
}

fn tenancy(text: &mut String, fleet: &FleetProof) {
    let report: &IsolationReport = &fleet.report;
    let _ = writeln!(
        text,
        "## Tenancy `{}`: {} of {} probes held, {} catalog lints with {} findings\n",
        fleet.tenancy.name(),
        report.held(),
        report.verdicts.len(),
        report.lints,
        report.findings.len()
    );
    text.push_str("| probe | what it would mean | verdict | SQLSTATE |\n|---|---|---|---|\n");
    for verdict in &report.verdicts {
        let word = match (verdict.held, verdict.is_open()) {
            (true, _) => "held".to_owned(),
            (false, true) => format!("open: {}", verdict.remedy.as_deref().unwrap_or_default()),
            (false, false) => format!("**broken**: {}", verdict.evidence),
        };
        let code = verdict.got.as_deref().unwrap_or("none needed");
        let _ = writeln!(text, "| `{}` | {} | {word} | {code} |", verdict.probe, verdict.meaning);
    }
    text.push_str("\nWhat stays open by the nature of this tenancy:\n\n");
    for channel in &report.residual {
        let _ = writeln!(text, "- `{}`: {}", channel.name, channel.meaning);
    }
    text.push('\n');
}
