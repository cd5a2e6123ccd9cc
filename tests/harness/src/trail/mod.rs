//! The audit trail for a person who has the database: generated, tampered with, and what is reported about it.

pub mod ends;
pub mod generate;
pub mod offline;
pub mod tamper;

use tenantry_protocol::audit::{AuditAnchor, AuditVerdict, AuditVerificationRequest, AuditVerifyRequest};

use crate::Env;
use crate::rpc::context;

/// What the daemon reports about its trail.
pub async fn verdict(env: &Env, anchors: Vec<AuditAnchor>) -> AuditVerdict {
    let rpc = env.rpc().await;
    let begun =
        rpc.audit_verify(context(), AuditVerifyRequest { anchors, trail: None }).await.unwrap().unwrap();
    let request = AuditVerificationRequest { id: begun.id, wait_ms: 30_000 };
    let done = rpc.audit_verification(context(), request).await.unwrap().unwrap();
    done.verdict.expect("a verification of a short trail ends within its wait")
}

/// All anchors that have been written until now, as a copy elsewhere would have them.
pub fn anchors_of(env: &Env) -> Vec<AuditAnchor> {
    let text = std::fs::read_to_string(env.dir.join("state/audit/anchors")).unwrap();
    let of = |line: &str| {
        let (seq, hash) = line.split_once(' ').unwrap();
        AuditAnchor { seq: seq.parse().unwrap(), hash: hash.to_owned() }
    };
    text.lines().skip(1).map(of).collect()
}
