//! The planted misconfigurations, read from `planted.sql` and `planted_pool.sql`.

/// One misconfiguration, how it goes again, and the probe or lint that must catch it.
#[derive(Debug, Clone, Copy)]
pub struct Planted {
    pub name: &'static str,
    /// `probe read`, `lint foreign_grants`
    pub caught_by: &'static str,
    pub plant: &'static str,
    pub clear: &'static str,
}

/// What can be wrong with any tenant and its server. Every one must be caught.
pub fn planted() -> Vec<Planted> {
    read(include_str!("planted.sql"))
}

/// What can be wrong with tables that tenants share.
pub fn planted_in_a_pool() -> Vec<Planted> {
    read(include_str!("planted_pool.sql"))
}

/// In the file each begins with `--- NAME · WHO`, and ends with what follows `--- clear`.
fn read(text: &'static str) -> Vec<Planted> {
    let sections = text.split("\n--- ").skip(1).collect::<Vec<_>>();
    let pairs = sections.chunks_exact(2).map(|pair| {
        let (title, plant) = pair[0].split_once('\n').expect("a title and its statements");
        let (name, caught_by) = title.split_once(" · ").expect("a name and who must notice");
        let clear = pair[1].strip_prefix("clear\n").expect("how it goes again");
        Planted { name, caught_by, plant, clear }
    });
    pairs.collect()
}
