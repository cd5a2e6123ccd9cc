//! Every probe is proven: something is planted that it must catch, or a reason says why nothing can be planted.

use std::collections::BTreeSet;
use std::path::Path;

use tenantry_harness::binaries::project_dir;
use tenantry_harness::isolation::planted::{NOT_PLANTED, planted, planted_in_a_pool};

use super::source::print_bar;

#[test]
fn every_probe_has_a_plant_or_a_reason_why_there_can_be_none() {
    let folder = project_dir().join("daemon/src/isolation/probes");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let probes: BTreeSet<String> = files.map(|path| name(&path)).filter(|name| name != "mod").collect();
    let planted = [planted(), planted_in_a_pool()].concat();
    let caught: BTreeSet<&str> =
        planted.iter().flat_map(|one| one.catchers()).filter_map(|who| who.strip_prefix("probe ")).collect();
    let excused: BTreeSet<&str> = NOT_PLANTED.iter().map(|(probe, _)| *probe).collect();
    let is_there = |name: &str| probes.contains(name);
    let unproven: Vec<&String> = probes
        .iter()
        .filter(|name| !caught.contains(name.as_str()) && !excused.contains(name.as_str()))
        .collect();
    print_bar("probes_without_a_plant_or_a_reason", unproven.len(), 0);
    assert!(unproven.is_empty(), "neither a plant nor a reason: {unproven:?}");
    let needless: Vec<&str> =
        excused.iter().copied().filter(|name| caught.contains(name) || !is_there(name)).collect();
    assert!(needless.is_empty(), "a reason that is not needed any more: {needless:?}");
    let unknown: Vec<&str> = caught.iter().copied().filter(|name| !is_there(name)).collect();
    assert!(unknown.is_empty(), "planted for probes that do not exist: {unknown:?}");
}
