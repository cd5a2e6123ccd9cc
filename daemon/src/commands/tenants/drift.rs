//! `drift`: how a tenant's objects differ from those of a new tenant of its version.
//!
//! Invariant: it changes nothing of a tenant. The first answer about a version builds a blank placement, which is rolled back.

use std::sync::Arc;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::tenant::Tenant;
use tenantry_protocol::tenant::drift::{
    Drift, DriftBaseline, DriftChange, DriftDifference, DriftRequest, DriftState, LONGEST_DEFINITION,
    MOST_DIFFERENCES,
};

use crate::model::fingerprint::{Change, Difference, TENANT};
use crate::pipeline::{Compared, DriftError, DriftVerdict};

use crate::commands::{App, Caller, errors};

pub async fn drift(app: &Arc<App>, _: &Caller, request: DriftRequest) -> Result<Drift, ApiError> {
    let tenant = app.find_tenant(&request.slug).await?;
    let stage = tenant.state.stage();
    if !stage.stands() {
        let message = format!(
            "{} is {}: only a tenant that is active or suspended can be compared",
            tenant.slug,
            stage.name()
        );
        return Err(ApiError::new(ErrorCode::Precondition, message));
    }
    let target = Arc::clone(app.target(tenant.target.as_str())?);
    let engine = app.engine.clone();
    let asked = tenant.clone();
    // A baseline that is being made is of use to the next caller, too.
    let compared = app.detached(async move { Ok(engine.drift(&target, &asked).await) }).await?;
    match compared {
        Ok(compared) => Ok(answer(&tenant, compared)),
        Err(DriftError::Control(error)) => Err(errors::control(error)),
        Err(DriftError::Target(error)) => Err(errors::target(&tenant.target, error)),
    }
}

fn answer(tenant: &Tenant, compared: Compared) -> Drift {
    let Compared { verdict, home, baseline, server_major, objects } = compared;
    let (state, reason, all) = match verdict {
        DriftVerdict::InSync => (DriftState::InSync, None, Vec::new()),
        DriftVerdict::Drifted(differences) => (DriftState::Drifted, None, differences),
        DriftVerdict::Unknown(why) => (DriftState::Unknown, Some(why), Vec::new()),
    };
    let total = all.len();
    let mut differences: Vec<DriftDifference> =
        all.into_iter().take(MOST_DIFFERENCES).map(|one| difference(one, &home)).collect();
    brief::fit(&mut differences, PAGE_BYTES);
    let left_out = (total - differences.len()) as u64;
    let baseline = baseline.map(|stored| DriftBaseline {
        blueprint: tenant.blueprint.clone(),
        version: tenant.version,
        tenancy: tenant.tenancy,
        server_major,
        digest: stored.digest,
        target: stored.target,
        made_at: stored.made_at,
    });
    Drift {
        slug: tenant.slug.clone(),
        state,
        reason,
        differences,
        left_out,
        objects: objects as u64,
        baseline,
    }
}

fn difference(one: Difference, home: &PlacementName) -> DriftDifference {
    let cut = |text: String| brief::cut(&text, LONGEST_DEFINITION);
    let (repair, no_repair) = match one.repair {
        // A statement that is cut would do something else.
        Ok(sql) if sql.chars().count() > LONGEST_DEFINITION => {
            (None, Some("the statements are too long for an answer: take them from the blueprint".to_owned()))
        }
        Ok(sql) => (Some(sql.replace(TENANT, home.as_str())), None),
        Err(why) => (None, Some(why)),
    };
    DriftDifference {
        change: match one.change {
            Change::Missing => DriftChange::Missing,
            Change::Extra => DriftChange::Extra,
            Change::Changed => DriftChange::Changed,
        },
        kind: one.kind,
        name: cut(one.name),
        expected: one.expected.map(cut),
        found: one.found.map(cut),
        repair,
        no_repair,
    }
}
