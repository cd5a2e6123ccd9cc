//! The planted misconfigurations, read from `planted.sql`.

/// One misconfiguration, how it goes again, and the probe or lint that must catch it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    /// `probe read`, `lint foreign_grants`
    pub(crate) caught_by: &'static str,
    pub(crate) plant: &'static str,
    pub(crate) clear: &'static str,
}

/// Every one must be caught. In the file each begins with `--- NAME · WHO`, and ends with what follows `--- clear`.
pub(crate) fn planted() -> Vec<Planted> {
    let sections = include_str!("planted.sql").split("\n--- ").skip(1).collect::<Vec<_>>();
    let pairs = sections.chunks_exact(2).map(|pair| {
        let (title, plant) = pair[0].split_once('\n').expect("a title and its statements");
        let (name, caught_by) = title.split_once(" · ").expect("a name and who must notice");
        let clear = pair[1].strip_prefix("clear\n").expect("how it goes again");
        Planted { name, caught_by, plant, clear }
    });
    pairs.collect()
}
